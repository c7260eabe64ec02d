"""The service that keeps what must survive a reset or a power cut."""
