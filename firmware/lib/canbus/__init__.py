"""CAN controllers: frames in, frames out, in the shape of machine.CAN."""
