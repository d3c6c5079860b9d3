//! The command line `counterseal`, as a library.
