//! A process whose address space is limited gets no pool of instances, and
//! everything works without.

use crate::guests::{component, echo};
use crate::host::{TestSandbox, failure, output};
use segno_host::sandbox::{Layout, Limits};
use std::process::Command;

/// Tests run in threads of one process, and the limit is the process's.
#[test]
fn a_small_address_space_is_enough() {
    let tests = std::env::current_exe().expect("this test is a program");
    let child = Command::new("sh")
        .args(["-c", "ulimit -v 4000000 && exec \"$0\" \"$@\""])
        .arg(tests)
        .args(["--exact", "compact::in_a_small_address_space", "--ignored", "--nocapture"])
        .output()
        .expect("there is a shell");
    let said = String::from_utf8_lossy(&child.stdout).into_owned();
    let errors = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && said.contains("1 passed"), "{said}\n{errors}");
}

#[tokio::test]
#[ignore = "it needs a limit on the address space, which the test above sets"]
async fn in_a_small_address_space() {
    let host = TestSandbox::with(|config| config.slots = 256);
    assert_eq!(host.sandbox.layout(), Layout::Compact);
    for _ in 0..100 {
        let report = host.run(&echo(), "[1]", Limits::default()).await;
        assert_eq!(output(&report), "[1]");
    }
    let grows = component(
        "",
        "(func $step (param i32 i32) (result i32)
            (loop $again
                (i32.store (i32.shl (memory.grow (i32.const 16)) (i32.const 16)) (i32.const 1))
                (br $again))
            (unreachable))",
    );
    let report = host.run(&grows, "[1]", Limits::default()).await;
    assert_eq!(failure(&report).0, "limit:memory");
    let outside = component(
        "",
        "(func $step (param i32 i32) (result i32) (i32.load (i32.const 0x7fffffff)))",
    );
    let report = host.run(&outside, "[1]", Limits::default()).await;
    assert!(failure(&report).1.contains("out of bounds memory access"));
}
