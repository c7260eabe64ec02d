"""The line console: what a person types on the USB or serial port, and what they read."""
