//! Ready tasks in one queue per group; groups are served in turns.
//!
//! A task belongs to the connection that it works for. A connection with a thousand ready tasks
//! gets one poll, then every other connection with ready tasks gets one. All links are indices into
//! two vectors, so that a warm shard allocates nothing and every operation is O(1).

/// Index of no slot.
const NONE: u32 = u32::MAX;

/// Connection, or part of the program, that tasks are polled for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group(u32);

impl Group {
    /// Group of the tasks that no connection started: background tasks share one turn.
    pub(crate) const BACKGROUND: Self = Self(0);

    /// Group of the connection in a slot. A later connection in that slot shares it with tasks that
    /// the earlier one left.
    pub(crate) const fn of_connection(slot: u32) -> Self {
        Self(slot.wrapping_add(1))
    }
}

/// Neighbours of one task in its group's queue.
#[derive(Debug, Clone, Copy)]
struct Link {
    /// Group whose queue contains the task; `NONE` if no queue does.
    group: u32,
    before: u32,
    after: u32,
}

/// Queue of one group, and its place among the groups that wait for a turn.
#[derive(Debug, Clone, Copy)]
struct Line {
    first: u32,
    last: u32,
    len: u32,
    /// Next group in the order of turns.
    next: u32,
    /// True while the group waits for a turn, which it may do with an empty queue.
    is_waiting: bool,
}

const FREE: Link = Link {
    group: NONE,
    before: NONE,
    after: NONE,
};

const EMPTY: Line = Line {
    first: NONE,
    last: NONE,
    len: 0,
    next: NONE,
    is_waiting: false,
};

/// Queues of ready tasks, which are named by their slots.
#[derive(Debug)]
pub(super) struct Lines {
    links: Vec<Link>,
    groups: Vec<Line>,
    /// Next group to be served.
    first: u32,
    last: u32,
    /// Number of tasks in all queues.
    len: usize,
    /// Number of groups whose queue is not empty.
    busy: usize,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            links: Vec::new(),
            groups: Vec::new(),
            first: NONE,
            last: NONE,
            len: 0,
            busy: 0,
        }
    }
}

impl Lines {
    /// Makes room for one more slot.
    pub(super) fn add_slot(&mut self) {
        self.links.push(FREE);
    }

    /// Returns the number of tasks in all queues.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns the largest number of polls that come before a task of `group` that becomes ready
    /// now.
    pub(super) fn ahead_of(&self, group: Group) -> usize {
        let own = self.groups.get(group.0 as usize);
        let rounds = own.map_or(0, |line| line.len as usize) + 1;
        self.len.min(rounds.saturating_mul(self.busy))
    }

    /// Adds a task to the end of its group's queue, unless it is in a queue already.
    pub(super) fn push(&mut self, slot: u32, Group(group): Group) {
        if self.links[slot as usize].group != NONE {
            return;
        }
        if self.groups.len() <= group as usize {
            self.groups.resize(group as usize + 1, EMPTY);
        }
        let line = &mut self.groups[group as usize];
        let before = std::mem::replace(&mut line.last, slot);
        line.len += 1;
        self.len += 1;
        self.links[slot as usize] = Link {
            group,
            before,
            after: NONE,
        };
        if before == NONE {
            line.first = slot;
            self.busy += 1;
            self.await_turn(group);
        } else {
            self.links[before as usize].after = slot;
        }
    }

    /// Removes the first task of the group whose turn it is.
    pub(super) fn pop(&mut self) -> Option<u32> {
        loop {
            let group = self.first;
            let line = self.groups.get_mut(group as usize)?;
            self.first = std::mem::replace(&mut line.next, NONE);
            if self.first == NONE {
                self.last = NONE;
            }
            line.is_waiting = false;
            let slot = line.first;
            if slot == NONE {
                continue;
            }
            self.remove(slot);
            if self.groups[group as usize].len > 0 {
                self.await_turn(group);
            }
            return Some(slot);
        }
    }

    /// Removes a task from its queue. Returns `false` if it is in none.
    pub(super) fn remove(&mut self, slot: u32) -> bool {
        let link = std::mem::replace(&mut self.links[slot as usize], FREE);
        let Some(line) = self.groups.get_mut(link.group as usize) else {
            return false;
        };
        match link.before {
            NONE => line.first = link.after,
            before => self.links[before as usize].after = link.after,
        }
        match link.after {
            NONE => line.last = link.before,
            after => self.links[after as usize].before = link.before,
        }
        line.len -= 1;
        self.len -= 1;
        self.busy -= usize::from(line.len == 0);
        true
    }

    /// Puts a group at the end of the groups that wait for a turn.
    fn await_turn(&mut self, group: u32) {
        let line = &mut self.groups[group as usize];
        if std::mem::replace(&mut line.is_waiting, true) {
            return;
        }
        match std::mem::replace(&mut self.last, group) {
            NONE => self.first = group,
            before => self.groups[before as usize].next = group,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::{Group, Lines};

    const A: Group = Group::BACKGROUND;
    const B: Group = Group::of_connection(0);
    const C: Group = Group::of_connection(7);

    enum Step {
        Push(u32, Group),
        Remove(u32),
        Pop(u32),
    }

    use Step::{Pop, Push, Remove};

    /// Takes the steps, then expects `order` from what is left.
    fn check(steps: &[Step], order: &[u32]) {
        let mut lines = Lines::default();
        (0..10).for_each(|_| lines.add_slot());
        for step in steps {
            match *step {
                Push(slot, group) => lines.push(slot, group),
                Remove(slot) => assert!(lines.remove(slot)),
                Pop(slot) => assert_eq!(lines.pop(), Some(slot)),
            }
        }
        assert_eq!(lines.len(), order.len());
        let left: Vec<u32> = std::iter::from_fn(|| lines.pop()).collect();
        assert_eq!(left, order);
        assert_eq!((lines.len(), lines.busy), (0, 0));
    }

    #[test]
    fn groups_take_turns() {
        check(&[], &[]);
        check(&[Push(1, A), Push(2, A), Push(3, A)], &[1, 2, 3]);
        let crowd = [Push(1, B), Push(2, B), Push(3, B), Push(4, C)];
        check(&crowd, &[1, 4, 2, 3]);
        check(&[Push(1, B), Push(2, A), Push(3, C)], &[1, 2, 3]);
        // Ready once more, a task goes behind its own group's, and the group behind the others.
        let again = [
            Push(1, B),
            Push(2, B),
            Push(3, C),
            Pop(1),
            Push(1, B),
            Push(4, A),
        ];
        check(&again, &[3, 2, 4, 1]);
    }

    #[test]
    fn a_task_stands_in_one_line_once() {
        check(&[Push(1, B), Push(1, B), Push(1, C)], &[1]);
    }

    #[test]
    fn tasks_leave_from_anywhere() {
        for gone in 1..=3 {
            let left: Vec<u32> = (1..=3).filter(|slot| *slot != gone).collect();
            check(&[Push(1, B), Push(2, B), Push(3, B), Remove(gone)], &left);
        }
        // A group that has nothing left loses its turn and takes no second place.
        check(&[Push(1, B), Push(2, C), Remove(1)], &[2]);
        check(&[Push(1, B), Push(2, C), Remove(1), Push(3, B)], &[3, 2]);
        let lines = &mut Lines::default();
        lines.add_slot();
        assert!(!lines.remove(0));
    }

    #[test]
    fn new_tasks_wait_for_their_own_group() {
        let mut lines = Lines::default();
        (0..10).for_each(|_| lines.add_slot());
        assert_eq!(lines.ahead_of(A), 0);
        (0..6).for_each(|slot| lines.push(slot, B));
        lines.push(6, C);
        for (group, ahead) in [(A, 2), (B, 7), (C, 4)] {
            assert_eq!(lines.ahead_of(group), ahead, "{group:?}");
        }
    }

    /// Compares with queues of queues, over steps from a fixed seed.
    #[test]
    fn lines_agree_with_a_model() {
        let mut lines = Lines::default();
        (0..16).for_each(|_| lines.add_slot());
        let mut model: VecDeque<(u32, VecDeque<u32>)> = VecDeque::new();
        let mut state = 0x2545_f491_u32;
        for _ in 0..20_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (slot, group) = (state >> 8 & 15, state >> 16 & 3);
            if state >> 28 > 5 {
                lines.push(slot, Group(group));
                let listed = model.iter().any(|(_, line)| line.contains(&slot));
                match model.iter_mut().find(|(name, _)| *name == group) {
                    _ if listed => {}
                    Some((_, line)) => line.push_back(slot),
                    None => model.push_back((group, VecDeque::from([slot]))),
                }
                continue;
            }
            let expected = model.pop_front().map(|(group, mut line)| {
                let slot = line.pop_front().unwrap();
                if !line.is_empty() {
                    model.push_back((group, line));
                }
                slot
            });
            assert_eq!(lines.pop(), expected);
        }
    }
}
