//! Times the engine without a host language.

fn main() {}
