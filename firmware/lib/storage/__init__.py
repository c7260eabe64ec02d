"""What stays over a restart: the configuration."""
