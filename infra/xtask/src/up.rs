//! `cargo xtask up`: the system kept running on fixed ports.

use anyhow::Result;

use crate::options::Options;
use crate::stack::{Kind, SERVICES, Stack};
use crate::stop::Stop;
use crate::{interrupt, place};

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut stack = Stack::start(Kind::Up, options)?;
    let report = place::target().join("dev/report.html");
    let seeded = stack.tell(&["seed"], &report)?;
    if !seeded.success() {
        println!("(no users could be seeded: {seeded})");
    }
    print_table(&stack)?;
    let outcome = interrupt::wait(None, || stack.all_alive().map(|()| None::<()>));
    match outcome {
        // Ctrl-C is the way out, not a failure.
        Err(error) if matches!(error.downcast_ref(), Some(Stop::Interrupted)) => {
            println!();
            stack.end()
        }
        Err(error) => Err(stack.keep_logs(error)),
        Ok(_) => stack.end(),
    }
}

fn print_table(stack: &Stack) -> Result<()> {
    println!("\nREDOUBT is up; Ctrl-C stops it\n");
    for service in SERVICES {
        println!("  {service:<12} {}", stack.url(service)?);
    }
    println!("  {:<12} {}", "partner", stack.url("partner")?);
    println!("  {:<12} http://127.0.0.1:7020/traces", "traces");
    println!("  {:<12} {}", "database", stack.database_url());
    println!("  {:<12} {}", "logs", place::short(&stack.logs()));
    println!(
        "\n  curl --cacert {}/public-ca.pem {}/.well-known/openid-configuration\n",
        place::short(stack.pki()),
        stack.url("auth")?
    );
    Ok(())
}
