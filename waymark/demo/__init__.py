"""`waymark demo`: a simulated month of incidents goes the whole way on this machine, and is told about."""
