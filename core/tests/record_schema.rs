//! The published schema is the one the types say.

use counterseal::ledger::record::{Kind, record_schema};
use std::path::Path;

#[test]
fn the_published_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema/record.schema.json");
    let current = format!("{}\n", serde_json::to_string_pretty(&record_schema()).unwrap());
    if std::env::var_os("COUNTERSEAL_WRITE_SCHEMA").is_some() {
        std::fs::write(&path, &current).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap();
    assert_eq!(published, current, "set COUNTERSEAL_WRITE_SCHEMA and run this test to write it anew");
}

#[test]
fn it_speaks_of_every_kind() {
    let text = record_schema().to_string();
    for kind in Kind::ALL {
        assert!(
            text.contains(&format!("\"const\":\"{0}\"", kind.as_str()))
                || text.contains(&format!("[\"{0}\"]", kind.as_str())),
            "{kind:?}"
        );
    }
}
