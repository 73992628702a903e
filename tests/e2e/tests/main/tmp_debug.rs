use gatelodge_e2e::world::{HOME, World};
#[tokio::test]
async fn dbg_back() {
    let world = World::new().await;
    let password = world.user(HOME, "ada").await;
    let here = format!("/t/{HOME}");
    let browser = world.browser().await;
    browser.signs_in(&here, "ada", &password).await;
    browser.execute("window.mark = 1").await;
    browser.press_named("Sign out").await;
    browser.reads("You are signed out").await;
    eprintln!("at {}", browser.path().await);
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    browser.back().await;
    eprintln!("back at {} mark {} nav {} text {}", browser.path().await, browser.execute("return window.mark").await, browser.execute("const n=performance.getEntriesByType('navigation')[0]; return [n.type, n.transferSize, n.responseStatus, n.deliveryType]").await, browser.text().await.replace('\n', " "));
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    eprintln!(
        "later {} {}",
        browser.path().await,
        browser.text().await.replace('\n', " ")
    );
    eprintln!(
        "{}",
        world
            .server
            .log()
            .lines()
            .filter(|l| l.contains("answered"))
            .collect::<Vec<_>>()
            .join("\n")
    );
    browser.close().await;
}
#[tokio::test]
async fn dbg_term() {
    let place = gatelodge_e2e::place::Place::new();
    let server = place.serve().await;
    let log = server.log_file().to_owned();
    eprintln!("{:?}", server.stop().await);
    eprintln!("{}", std::fs::read_to_string(log).unwrap());
}
