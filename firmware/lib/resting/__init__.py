"""What the board does while nothing flows: resting, and switching itself off."""
