//! The web interface is embedded as it was built last; a newer one makes this crate anew.

const BUILT: &str = "../frontend/out";

fn main() -> std::io::Result<()> {
    // Cargo would build anew each time if it were told to watch what is not there.
    std::fs::create_dir_all(BUILT)?;
    println!("cargo::rerun-if-changed={BUILT}");
    Ok(())
}
