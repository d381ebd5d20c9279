"""What the console works out for itself: words for times, the pace of stages, pictures, the condition."""
