"""`waymark bench`: what it takes, with the baselines measured side by side in the same run."""
