//! The container files: no secret that works is shipped, and documents are no part of the compilation.

use std::path::Path;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// A published signing key lets everybody forge an administrator.
#[test]
fn compose_ships_no_secret() {
    let compose = read("compose.yaml");
    for name in ["DATABASE_PASSWORD", "DESKWIRE_JWT_KEYS", "DESKWIRE_MASTER_KEY"] {
        let mut uses = 0;
        for (at, _) in compose.match_indices(&format!("${{{name}")) {
            let rest = &compose[at + name.len() + 2..];
            assert!(rest.starts_with(":?"), "{name} must be required: {}", rest.lines().next().unwrap());
            uses += 1;
        }
        assert!(uses > 0, "{name} is not used");
        let example = read(".env.example");
        let line = example.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        assert_eq!(line, Some(""), ".env.example names {name} and gives it no value");
    }
}

/// The layer that compiles copies the source and nothing that changes without it.
#[test]
fn the_image_compiles_only_what_is_source() {
    let copied: Vec<String> = read("Dockerfile")
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .filter(|line| !line.starts_with("--from"))
        .map(|line| line.rsplit_once(' ').unwrap().0.to_owned())
        .collect();
    assert_eq!(copied, [".cargo", "Cargo.toml Cargo.lock", "migrations", "src", "docs"]);
}
