use aideator_submitter::decide::stop::{Step, next};

use crate::values::at;

#[test]
fn it_is_told_then_stopped_then_killed() {
    let since = at(1_000);
    assert_eq!(next(since, at(1_000)), Step::Tell);
    assert_eq!(next(since, at(10_999)), Step::Tell);
    assert_eq!(next(since, at(11_000)), Step::Stop);
    assert_eq!(next(since, at(15_999)), Step::Stop);
    assert_eq!(next(since, at(16_000)), Step::Kill);
    // A clock that was set back kills nothing.
    assert_eq!(next(since, at(0)), Step::Tell);
}
