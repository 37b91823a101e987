//! What differs when somebody sits in front of it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::program::Home;
use crate::token_service::Service;

/// Runs the program on a terminal, types `answer`, and gives back the exit code and all that was on the screen.
async fn on_terminal(home: &Home, arguments: &[&str], answer: &str) -> (Option<i32>, String) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let path = ptsname(&controller, Vec::new()).unwrap();
    let terminal = File::options().read(true).write(true).open(path.to_str().unwrap()).unwrap();
    let mut command = home.command(arguments);
    command.env("TERM", "xterm").stdin(Stdio::from(terminal.try_clone().unwrap()));
    command.stdout(Stdio::from(terminal.try_clone().unwrap())).stderr(Stdio::from(terminal));
    let mut child = command.spawn().unwrap();
    // Holds the terminal open.
    drop(command);
    let mut controller = File::from(controller);
    // What is typed waits in the terminal until it is asked for.
    controller.write_all(answer.as_bytes()).unwrap();
    let screen = tokio::task::spawn_blocking(move || {
        let mut screen = Vec::new();
        // Ends with an error when nobody has the terminal open any more.
        let _ = controller.read_to_end(&mut screen);
        String::from_utf8(screen).unwrap()
    });
    let code = child.wait().await.unwrap().code();
    (code, screen.await.unwrap())
}

async fn prepared() -> (Service, Home) {
    let service = Service::start("https://login.example").await;
    let mut home = Home::with_context(&service.server).await;
    home.variable("OPENSEARCH_AUTH_TOKEN", "my-own-token");
    (service, home)
}

fn revocations(service: &Service) -> usize {
    let asked = service.server.seen_at("/oauth/tokens/revoke");
    asked.iter().filter(|seen| seen.body.contains("\"dry_run\":false")).count()
}

#[tokio::test]
async fn a_revocation_of_many_is_asked_about() {
    let (service, home) = prepared().await;
    let revoke = ["revoke-token", "--client-id", "ci"];
    for answer in ["n\n", "\n", "perhaps\n"] {
        let (code, screen) = on_terminal(&home, &revoke, answer).await;
        assert!(screen.contains("Revoke 2 tokens? [y/N]") && screen.contains("tok_a"), "{screen}");
        assert!(screen.contains("nothing was revoked"), "{screen}");
        assert_eq!((code, revocations(&service)), (Some(1), 0), "{answer:?}");
    }
    let (code, screen) = on_terminal(&home, &revoke, "y\n").await;
    assert!(screen.contains("✅ 2 tokens revoked"), "{screen}");
    assert_eq!((code, revocations(&service)), (Some(0), 1));
}

#[tokio::test]
async fn colours_are_for_terminals_that_want_them() {
    let mut home = Home::new();
    let (code, screen) = on_terminal(&home, &["status"], "").await;
    assert_eq!(code, Some(2));
    assert!(screen.contains("there is no context yet") && screen.contains('\u{1b}'), "{screen:?}");
    home.variable("NO_COLOR", "1");
    let (_, screen) = on_terminal(&home, &["status"], "").await;
    assert!(screen.contains("there is no context yet") && !screen.contains('\u{1b}'), "{screen:?}");
    let run = home.run(&["status"]).await;
    assert!(!run.err.contains('\u{1b}'), "{run:?}");
}
