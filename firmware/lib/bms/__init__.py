"""The battery: pure logic without hardware, clock or input and output of its own."""
