//! The binary `counterseal`: hands its arguments to the command line.

fn main() {}
