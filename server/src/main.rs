//! The binary `counterseal`: hands its arguments to the command line.

fn main() {
    std::process::exit(counterseal_cli::run_in_process(std::env::args_os()));
}
