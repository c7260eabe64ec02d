"""What every link tells about itself: counters, who is on the other side, and a verdict."""
