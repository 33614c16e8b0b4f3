//! Users that a new database starts with, always the same.

use crate::user::UserResponse;

/// Number of users in a new database; their ids start at 1.
pub const FIRST_USERS: i32 = 10_000;

const GIVEN: [&str; 40] = [
    "Ada", "Alan", "Amina", "Barbara", "Bjarne", "Chen", "Claude", "Dennis", "Donald", "Dorothy",
    "Edsger", "Elena", "Fatima", "Frances", "Grace", "Hedy", "Hiroshi", "Ingrid", "Ivan", "James",
    "Jean", "Joan", "Juan", "Kate", "Ken", "Kwame", "Leslie", "Linus", "Lucia", "Margaret", "Mei",
    "Niklaus", "Olga", "Priya", "Radia", "Rosa", "Samuel", "Sofia", "Tim", "Yusuf",
];

const FAMILY: [&str; 37] = [
    "Abe", "Allen", "Backus", "Becker", "Booth", "Costa", "Dahl", "Diaz", "Endo", "Fischer",
    "Garcia", "Gupta", "Hamilton", "Hansen", "Hopper", "Ito", "Jansen", "Jones", "Khan", "Kim",
    "Larsen", "Liu", "Lopez", "Mensah", "Moreau", "Novak", "Okafor", "Patel", "Perlman", "Rossi",
    "Sato", "Schmidt", "Silva", "Smith", "Turner", "Wang", "Wilson",
];

/// Returns the users in the order of their ids.
pub(super) fn first_users() -> impl Iterator<Item = UserResponse> {
    (1..=FIRST_USERS).map(first_user)
}

fn first_user(id: i32) -> UserResponse {
    if id == 1 {
        return user(id, "John Doe", "john@example.com");
    }
    // 37 and 40 have no common divisor, so names repeat only after 1480 users.
    let index = id.unsigned_abs() as usize;
    let given = GIVEN[index % GIVEN.len()];
    let family = FAMILY[index * 17 % FAMILY.len()];
    let email = format!("{given}.{family}.{id}@example.com").to_lowercase();
    user(id, &format!("{given} {family}"), &email)
}

fn user(id: i32, name: &str, email: &str) -> UserResponse {
    UserResponse {
        id,
        name: name.to_owned(),
        email: email.to_owned(),
    }
}
