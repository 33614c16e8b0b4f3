//! User service with real clients: over sockets, on both engines.

#[path = "users/channelz.rs"]
mod channelz;
#[path = "users/interop.rs"]
mod interop;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use corespun::runtime::{Engine, LocalConfig, LocalShard};
use corespun::server::Running;
use corespun::{Code, Request, Server, Status, sleep, spawn, spawn_blocking};
use corespun_examples::user::user_service_client::UserServiceClient;
use corespun_examples::user::user_service_server::UserServiceServer;
use corespun_examples::user::{ListUsersRequest, UserRequest, UserResponse};
use corespun_examples::{FIRST_USERS, Store, Users, tour};

/// Longest time of a call, however slow the machine is.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Service of this process on a new database, removed on drop.
struct Service {
    folder: PathBuf,
    engine: Engine,
    shards: usize,
    running: Option<Running>,
}

impl Service {
    fn new(engine: Engine, shards: usize) -> Self {
        static NEXT: AtomicI32 = AtomicI32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("corespun-users-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        Self {
            folder,
            engine,
            shards,
            running: None,
        }
    }

    fn start(&mut self) {
        let path = self.database();
        Store::create(&path).expect("a database");
        let open = move |_shard| Ok(UserServiceServer::new(Users::new(Store::open(&path)?)));
        let server = Server::builder().listen("127.0.0.1:0").shards(self.shards);
        let running = server
            .engine(self.engine)
            .service(open)
            .start()
            .expect("a server");
        assert_eq!(running.engine(), self.engine);
        self.running = Some(running);
    }

    /// Drains while this shard continues, because its own connections have to close too.
    async fn stop(&mut self) {
        let running = self.running.take().expect("a server that runs");
        spawn_blocking(move || running.stop())
            .await
            .expect("a clean end");
    }

    fn database(&self) -> PathBuf {
        self.folder.join("users.db")
    }

    async fn client(&self) -> UserServiceClient {
        let running = self.running.as_ref().expect("a server that runs");
        let address = running.addresses()[0].to_string();
        UserServiceClient::connect(&address)
            .await
            .expect("a connection")
    }

    fn count(&self) -> i64 {
        count(&self.database())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn count(database: &Path) -> i64 {
    let connection = rusqlite::Connection::open(database).expect("opened");
    let count = connection.query_row("SELECT COUNT(*) FROM users", [], |row| row.get(0));
    count.expect("a count")
}

/// Runs a scenario on each engine that the kernel permits.
fn on_each_engine(shards: usize, scenario: impl AsyncFn(&mut Service)) {
    for (engine, usable) in Engine::candidates() {
        let shard = usable.and_then(|()| LocalShard::new(LocalConfig { engine, cpu: None }));
        match shard {
            Ok(mut shard) => {
                let mut service = Service::new(engine, shards);
                shard.block_on(async {
                    service.start();
                    scenario(&mut service).await;
                    service.stop().await;
                });
            }
            // Bypasses the capture of the test's output, so that a skipped test is visible.
            Err(error) if engine == Engine::Uring => {
                let _ = writeln!(std::io::stderr(), "SKIPPED users on uring: {error}");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn timed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(TIMEOUT);
    request
}

fn user(id: i32) -> UserResponse {
    UserResponse {
        id,
        name: format!("User {id}"),
        email: format!("{id}@example.com"),
    }
}

fn named(id: i32, name: &str, email: &str) -> UserResponse {
    UserResponse {
        id,
        name: name.to_owned(),
        email: email.to_owned(),
    }
}

async fn get(client: &UserServiceClient, id: i32) -> Result<UserResponse, Status> {
    Ok(client
        .get_user(timed(UserRequest { id }))
        .await?
        .into_inner())
}

async fn list(client: &UserServiceClient, page: i32, page_size: i32) -> Result<Vec<i32>, Status> {
    let answer = client
        .list_users(timed(ListUsersRequest { page, page_size }))
        .await?;
    let mut users = answer.into_inner();
    let mut ids = Vec::new();
    while let Some(user) = users.message().await? {
        ids.push(user.id);
    }
    Ok(ids)
}

async fn import(client: &UserServiceClient, users: &[UserResponse]) -> Result<i32, Status> {
    let mut import = client.import_users(timed(())).await?;
    for user in users {
        // The server may end an import before its last user; finishing tells why.
        if import.send(user.clone()).await.is_err() {
            break;
        }
    }
    Ok(import.finish().await?.into_inner().imported)
}

async fn lookup(client: &UserServiceClient, ids: &[i32]) -> Result<Vec<i32>, Status> {
    let (mut requests, mut answers) = client.lookup(timed(())).await?;
    let ids = ids.to_vec();
    // Sent by a task of its own: answers fill the windows while requests are still to go.
    let sending = spawn(async move {
        for id in ids {
            if requests.send(UserRequest { id }).await.is_err() {
                break;
            }
        }
    });
    let mut found = Vec::new();
    while let Some(user) = answers.message().await? {
        found.push(user.id);
    }
    sending.await.expect("no panic");
    Ok(found)
}

#[test]
fn the_tour() {
    on_each_engine(1, async |service| {
        let client = service.client().await;
        let mut lines = Vec::new();
        let toured = tour::run(&client, 1_000_000, |line| lines.push(line.to_owned())).await;
        toured.expect("answers as they must be");
        assert!(
            lines[0].contains("John Doe <john@example.com>"),
            "{lines:?}"
        );
        assert_eq!(lines.len(), 6, "{lines:?}");
        assert_eq!(service.count(), i64::from(FIRST_USERS) + 3);
    });
}

#[test]
fn pages() {
    on_each_engine(1, async |service| {
        let client = service.client().await;
        for (page, page_size, expected) in [
            (1, 0, 1..=50),
            (0, 0, 1..=50),
            (2, 0, 51..=100),
            (1, 1, 1..=1),
            (3, 250, 501..=750),
            (1, 1000, 1..=1000),
            (10, 1000, 9001..=10_000),
            (15, 667, 9339..=10_000),
        ] {
            let listed = list(&client, page, page_size).await.expect("a page");
            assert_eq!(
                listed,
                expected.collect::<Vec<_>>(),
                "page {page} of {page_size}"
            );
        }
        for (page, page_size) in [(11, 1000), (201, 0), (i32::MAX, 1000), (i32::MAX, 1)] {
            let listed = list(&client, page, page_size).await;
            assert_eq!(
                listed.expect("an empty page"),
                [0; 0],
                "page {page} of {page_size}"
            );
        }
    });
}

#[test]
fn long_lookup() {
    on_each_engine(1, async |service| {
        let client = service.client().await;
        let ids: Vec<i32> = (0..5_000)
            .map(|index| 1 + index * 7 % FIRST_USERS)
            .collect();
        assert_eq!(lookup(&client, &ids).await.expect("users"), ids);
        assert_eq!(lookup(&client, &[]).await.expect("nobody"), [0; 0]);
    });
}

enum Bad {
    Get(i32),
    List(i32, i32),
    Lookup(&'static [i32]),
    Import(Vec<UserResponse>),
}

/// Returns every kind of invalid read, with the code and the text of the response.
fn bad_reads() -> Vec<(Bad, Code, &'static str)> {
    use Bad::{Get, List, Lookup};
    use Code::{InvalidArgument, NotFound};
    vec![
        (Get(0), InvalidArgument, "id must be positive, not 0"),
        (Get(-1), InvalidArgument, "id must be positive, not -1"),
        (
            Get(i32::MIN),
            InvalidArgument,
            "id must be positive, not -2147483648",
        ),
        (Get(10_001), NotFound, "no user has id 10001"),
        (Get(i32::MAX), NotFound, "no user has id 2147483647"),
        (
            List(-1, 10),
            InvalidArgument,
            "page must be positive, not -1",
        ),
        (
            List(i32::MIN, 0),
            InvalidArgument,
            "page must be positive, not -2147483648",
        ),
        (
            List(1, -1),
            InvalidArgument,
            "page_size must be 1 to 1000, not -1",
        ),
        (
            List(1, 1001),
            InvalidArgument,
            "page_size must be 1 to 1000, not 1001",
        ),
        (
            List(1, i32::MAX),
            InvalidArgument,
            "page_size must be 1 to 1000, not 2147483647",
        ),
        (Lookup(&[1, 10_001, 2]), NotFound, "no user has id 10001"),
        (
            Lookup(&[1, 0]),
            InvalidArgument,
            "id must be positive, not 0",
        ),
        (
            Lookup(&[-5]),
            InvalidArgument,
            "id must be positive, not -5",
        ),
    ]
}

/// Returns every kind of invalid import, with a valid user before the invalid one.
fn bad_imports() -> Vec<(Bad, Code, &'static str)> {
    use Code::{AlreadyExists, InvalidArgument};
    let after = |bad: UserResponse| Bad::Import(vec![user(30_001), bad, user(30_003)]);
    vec![
        (
            after(named(0, "A", "a@b")),
            InvalidArgument,
            "index 1: id must be positive, not 0",
        ),
        (
            after(named(-7, "A", "a@b")),
            InvalidArgument,
            "index 1: id must be positive, not -7",
        ),
        (
            after(named(30_002, "", "a@b")),
            InvalidArgument,
            "index 1: name must not be empty",
        ),
        (
            after(named(30_002, "A", "ab")),
            InvalidArgument,
            "index 1: email must contain '@'",
        ),
        (
            after(named(30_002, "A", "")),
            InvalidArgument,
            "index 1: email must contain '@'",
        ),
        (
            after(user(77)),
            AlreadyExists,
            "index 1: id 77 exists already",
        ),
        (
            after(user(30_001)),
            AlreadyExists,
            "index 1: id 30001 exists already",
        ),
    ]
}

#[test]
fn bad_input() {
    on_each_engine(1, async |service| {
        let client = service.client().await;
        for (call, code, words) in bad_reads().into_iter().chain(bad_imports()) {
            let status = match call {
                Bad::Get(id) => get(&client, id).await.map(drop),
                Bad::List(page, size) => list(&client, page, size).await.map(drop),
                Bad::Lookup(ids) => lookup(&client, ids).await.map(drop),
                Bad::Import(users) => import(&client, &users).await.map(drop),
            };
            let status = status.expect_err(words);
            assert_eq!(status.code(), code, "{status}");
            assert!(status.message().contains(words), "{status}, not {words}");
            assert_eq!(service.count(), i64::from(FIRST_USERS), "{words}");
        }
        let status = get(&client, 30_001).await.expect_err("nothing was stored");
        assert_eq!(status.code(), Code::NotFound);
    });
}

#[test]
fn a_lookup_answers_up_to_the_unknown_id() {
    on_each_engine(1, async |service| {
        let client = service.client().await;
        let (mut requests, mut answers) = client.lookup(timed(())).await.expect("a call");
        for id in [3, 1, 999_999] {
            requests.send(UserRequest { id }).await.expect("sent");
        }
        for id in [3, 1] {
            let found = answers
                .message()
                .await
                .expect("no error yet")
                .expect("a user");
            assert_eq!(found.id, id);
        }
        let status = answers.message().await.expect_err("nobody has the third");
        assert_eq!(
            (status.code(), status.message()),
            (Code::NotFound, "no user has id 999999")
        );
    });
}

#[test]
fn an_import_that_never_ends_well() {
    on_each_engine(1, async |service| {
        let client = service.client().await;
        let mut request = Request::new(());
        request.set_timeout(Duration::from_millis(200));
        let mut late = client.import_users(request).await.expect("a call");
        let mut cancelled = client.import_users(timed(())).await.expect("a call");
        for id in 30_001..30_010 {
            late.send(user(id)).await.expect("in time");
            cancelled.send(user(id + 100)).await.expect("sent");
        }
        drop(cancelled);
        sleep(Duration::from_millis(400)).await;
        let status = late.finish().await.expect_err("the deadline passed");
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");

        // An answer on the same connection: the server has seen all that went before.
        assert_eq!(get(&client, 1).await.expect("John").name, "John Doe");
        assert_eq!(service.count(), i64::from(FIRST_USERS));
    });
}

#[test]
fn imports_at_once_on_two_shards() {
    const CLIENTS: i32 = 4;
    const IMPORTS: i32 = 5;
    const USERS: i32 = 100;
    on_each_engine(2, async |service| {
        let mut tasks = Vec::new();
        for number in 0..CLIENTS {
            let client = service.client().await;
            tasks.push(spawn(async move {
                for round in 0..IMPORTS {
                    let base = 100_000 + (number * IMPORTS + round) * USERS;
                    let users: Vec<_> = (base..base + USERS).map(user).collect();
                    assert_eq!(import(&client, &users).await.expect("imported"), USERS);
                    assert_eq!(get(&client, base).await.expect("stored"), users[0]);
                }
            }));
        }
        // All imports use the same ids: only one succeeds, whichever shard it is on.
        let mut rivals = Vec::new();
        for _ in 0..CLIENTS {
            let client = service.client().await;
            let users: Vec<_> = (200_000..200_000 + USERS).map(user).collect();
            rivals.push(spawn(async move { import(&client, &users).await }));
        }
        for task in tasks {
            task.await.expect("no panic");
        }
        let mut won = 0;
        for rival in rivals {
            match rival.await.expect("no panic") {
                Ok(imported) => won += imported / USERS,
                Err(status) => assert_eq!(status.code(), Code::AlreadyExists, "{status}"),
            }
        }
        assert_eq!(won, 1);
        let imported = (CLIENTS * IMPORTS + 1) * USERS;
        assert_eq!(service.count(), i64::from(FIRST_USERS + imported));
    });
}

#[test]
fn a_restart_keeps_what_was_imported() {
    on_each_engine(2, async |service| {
        let client = service.client().await;
        assert_eq!(
            import(&client, &[user(20_001), user(20_002)])
                .await
                .expect("imported"),
            2
        );
        drop(client);
        service.stop().await;
        service.start();
        let client = service.client().await;
        assert_eq!(get(&client, 20_002).await.expect("stored"), user(20_002));
        assert_eq!(service.count(), i64::from(FIRST_USERS) + 2);
    });
}
