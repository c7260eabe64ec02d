"""The fault-injection campaign: breaks everything, alone and in pairs, and judges what follows."""
