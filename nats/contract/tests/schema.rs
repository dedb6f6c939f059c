//! The committed schemas are the ones the types give.

use std::path::Path;

/// `UPDATE_SCHEMA=1 cargo test -p aideator-contract --test schema` writes them.
#[test]
fn committed_schemas_are_those_of_the_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schema");
    for (name, schema) in aideator_contract::schema::all() {
        let file = folder.join(format!("{name}.json"));
        let mut schema = schema.to_value();
        schema.sort_all_objects();
        let text = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(&file, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(
            committed, text,
            "{name} differs: run UPDATE_SCHEMA=1 cargo test -p aideator-contract --test schema"
        );
    }
}
