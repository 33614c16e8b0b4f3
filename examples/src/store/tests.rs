//! Store on its own: existing files, and imports that store all users or none.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// Temporary folder; removed on drop.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("corespun-store-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn database(&self) -> PathBuf {
        self.0.join("users.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn user(id: i32) -> UserResponse {
    UserResponse {
        id,
        name: format!("User {id}"),
        email: format!("{id}@example.com"),
    }
}

fn count(store: &Store) -> i64 {
    let count = store
        .connection
        .query_row("SELECT COUNT(*) FROM users", [], |row| row.get(0));
    count.expect("a count")
}

#[test]
fn is_filled_once() {
    let folder = Folder::new();
    let path = folder.database();
    assert!(Store::create(&path).expect("created"));
    assert!(!Store::create(&path).expect("found"));
    let store = Store::open(&path).expect("opened");
    assert_eq!(count(&store), i64::from(FIRST_USERS));
    let john = store.user(1).expect("read").expect("a user");
    assert_eq!(
        (john.name.as_str(), john.email.as_str()),
        ("John Doe", "john@example.com")
    );
    assert_eq!(store.user(FIRST_USERS + 1).expect("read"), None);
    for user in store.users_from(0, usize::MAX).expect("read") {
        assert!(
            !user.name.is_empty() && user.email.ends_with("@example.com"),
            "{user:?}"
        );
    }
}

#[test]
fn many_at_once_fill_it_once() {
    let folder = Folder::new();
    let path = folder.database();
    let filled = std::thread::scope(|scope| {
        let creators: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| Store::create(&path).expect("created")))
            .collect();
        creators
            .into_iter()
            .map(|creator| creator.join().expect("no panic"))
            .collect::<Vec<_>>()
    });
    assert_eq!(
        filled.iter().filter(|filled| **filled).count(),
        1,
        "{filled:?}"
    );
    assert_eq!(
        count(&Store::open(&path).expect("opened")),
        i64::from(FIRST_USERS)
    );
}

#[test]
fn bad_files() {
    let folder = Folder::new();
    let missing = folder.0.join("missing").join("users.db");
    let garbage = folder.0.join("garbage.db");
    fs::write(&garbage, "no database ".repeat(1000)).expect("written");
    let foreign = folder.0.join("foreign.db");
    let connection = Connection::open(&foreign).expect("opened");
    connection
        .execute("CREATE TABLE users (number INTEGER)", [])
        .expect("created");
    for (path, words) in [
        (missing, "No such file or directory"),
        (folder.0.clone(), "Is a directory"),
        (PathBuf::new(), "No such file or directory"),
        (garbage, "file is not a database"),
        (foreign, "no column named id"),
    ] {
        let opened = Store::create(&path).and_then(|_| Store::open(&path));
        let error = opened.err().expect(words).to_string();
        let start = format!("failed to open the database {}: ", path.display());
        assert!(error.starts_with(&start), "{error}");
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn an_import_is_all_or_nothing() {
    let folder = Folder::new();
    Store::create(&folder.database()).expect("created");
    let store = Store::open(&folder.database()).expect("opened");
    let before = count(&store);
    let taken = store.import(&[user(20_001), user(20_002), user(5)], || true);
    assert!(
        matches!(taken, Err(ImportError::Exists { index: 2, id: 5 })),
        "{taken:?}"
    );
    let twice = store.import(&[user(20_001), user(20_001)], || true);
    assert!(
        matches!(
            twice,
            Err(ImportError::Exists {
                index: 1,
                id: 20_001
            })
        ),
        "{twice:?}"
    );
    let late = store.import(&[user(20_001)], || false);
    assert!(matches!(late, Err(ImportError::Abandoned)), "{late:?}");
    assert_eq!(count(&store), before);
    store
        .import(&[user(20_001), user(20_002)], || true)
        .expect("imported");
    assert_eq!(count(&store), before + 2);
}

#[test]
fn pages_in_order() {
    let folder = Folder::new();
    Store::create(&folder.database()).expect("created");
    let store = Store::open(&folder.database()).expect("opened");
    let ids = |users: Vec<UserResponse>| users.iter().map(|user| user.id).collect::<Vec<_>>();
    assert_eq!(ids(store.users_from(10, 3).expect("read")), [11, 12, 13]);
    assert_eq!(ids(store.users_after(13, 2).expect("read")), [14, 15]);
    assert_eq!(ids(store.users_from(9_999, 10).expect("read")), [10_000]);
    assert_eq!(ids(store.users_from(u64::MAX, 10).expect("read")), [0; 0]);
    assert_eq!(ids(store.users_after(10_000, 10).expect("read")), [0; 0]);
}
