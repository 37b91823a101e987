//! `cargo xtask demo`: builds, boots, and tells the story.

pub(crate) mod build;
mod call;
mod proxy;
mod story;
mod ui;
mod world;

use clap::Args;
use testbed::{Progress, ensure_port_free};

use crate::interrupt::{interrupted, or_interrupt};
use crate::{Ports, Result, XtaskError};
use world::World;

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// End after the story, with exit status 0 if every step went as told.
    #[arg(long)]
    once: bool,
    /// HTTPS port of the proxy.
    #[arg(long, value_name = "PORT", default_value_t = 8443)]
    port: u16,
    /// Port of the proxy's metrics and health.
    #[arg(long, value_name = "PORT", default_value_t = 9600)]
    admin_port: u16,
    /// HTTPS port of OpenSearch; the port 100 above is used between its nodes.
    #[arg(long, value_name = "PORT", default_value_t = 9200)]
    engine_port: u16,
    /// HTTP port of Keycloak.
    #[arg(long, value_name = "PORT", default_value_t = 8180)]
    keycloak_port: u16,
    /// Show the development build of the proxy: it compiles faster and runs slower.
    #[arg(long)]
    debug: bool,
}

impl DemoArgs {
    /// Fails if one port is to serve two purposes.
    fn check_ports(&self) -> Result<()> {
        let ports = [
            (self.port, "--port"),
            (self.admin_port, "--admin-port"),
            (self.engine_port, "--engine-port"),
            (self.engine_port.saturating_add(100), "--engine-port, 100 above"),
            (self.keycloak_port, "--keycloak-port"),
        ];
        for (index, (port, first)) in ports.iter().enumerate() {
            if let Some((_, second)) = ports[index + 1..].iter().find(|(other, _)| other == port) {
                return Err(XtaskError::SamePort { port: *port, first, second });
            }
        }
        Ok(())
    }
}

/// Runs the demo. After the story an interrupt is its regular end.
pub(crate) async fn run(args: &DemoArgs) -> Result<()> {
    let story = async {
        let world = set_up(args).await?;
        story::tell(&world).await?;
        Ok(world)
    };
    let world = Box::pin(or_interrupt(story)).await?;
    if !args.once {
        story::invite(&world);
        interrupted().await;
        anstream::println!();
    }
    world.stop().await
}

async fn set_up(args: &DemoArgs) -> Result<World> {
    args.check_ports()?;
    ensure_port_free(args.port, "the proxy", "--port")?;
    ensure_port_free(args.admin_port, "the proxy's metrics", "--admin-port")?;
    let progress = Progress::new();
    let ports = Ports { engine_port: args.engine_port, keycloak_port: args.keycloak_port };
    let (systems, program) =
        tokio::try_join!(world::systems(&ports, &progress), build::proxy(args.debug, &progress))?;
    World::create(systems, program, args.port, args.admin_port, &progress).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_for_two_purposes_is_told() {
        let usual = DemoArgs {
            once: true,
            port: 8443,
            admin_port: 9600,
            engine_port: 9200,
            keycloak_port: 8180,
            debug: false,
        };
        usual.check_ports().unwrap();
        let clash = DemoArgs { engine_port: 9500, ..usual };
        let message = clash.check_ports().unwrap_err().to_string();
        assert!(message.contains("--admin-port") && message.contains("--engine-port"), "{message}");
    }
}
