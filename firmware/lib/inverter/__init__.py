"""Speaks to inverters over CAN: a frame encoder, one data module per profile, and the link."""
