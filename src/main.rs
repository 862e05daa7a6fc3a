//! The program. Everything is in the library, so that tests and benchmarks run the same code.

fn main() -> std::process::ExitCode {
    deskwire::cli::main()
}
