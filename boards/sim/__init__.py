"""The simulated board: chips as register-level models behind the objects of a real board."""
