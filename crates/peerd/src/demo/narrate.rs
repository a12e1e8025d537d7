//! What the demo prints.

use super::Side;

/// The heading of a step.
pub(super) fn step(number: u8, what: &str) {
    println!("\n{number}. {what}");
}

/// Something that was answered.
pub(super) fn told(who: &Side, what: &str) {
    println!("   {:<16} {what}", who.title);
}

/// How to go on by hand.
pub(super) fn endpoints(sides: &[&Side]) {
    println!("\nBoth enrollments keep running; Ctrl-C ends the demo. Try, in another terminal:\n");
    for side in sides {
        let token = side.dir.join(crate::admin_token::FILE);
        println!("  # {}", side.title);
        println!("  export PEERCTL_ENDPOINT=http://{}", side.daemon.api_addr());
        println!("  export PEERCTL_TOKEN_FILE={}", token.display());
        println!("  peerctl status\n");
    }
}
