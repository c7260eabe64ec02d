"""The protocol of JBD (Jiabaida) batteries: bytes in, bytes out, over whatever carries them."""
