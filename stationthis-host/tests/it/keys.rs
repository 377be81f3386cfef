use reqwest::Method;
use stationthis_comfydeploy::sim::SimTiming;

use crate::bench::{Bench, answer, kind};

#[tokio::test(flavor = "multi_thread")]
async fn with_a_key_every_internal_path_needs_it_and_health_does_not() {
    let mut bench = Bench::with(SimTiming::instant(), Some("correct-horse-battery")).await;
    assert_eq!(bench.get("/api/internal/tools").await.0, 200);
    for key in [None, Some("wrong-horse-battery-x")] {
        bench.key = key;
        for path in ["/api/internal/tools", "/api/internal/tasks", "/api/internal/nothing"] {
            let (status, problem) = bench.get(path).await;
            assert_eq!((status.as_u16(), kind(&problem)), (401, "unauthorized"), "{path}");
        }
        let refused = bench.request(Method::POST, "/api/internal/run/sdxl-portrait").body("{}").send().await.unwrap();
        assert_eq!(refused.status(), 401);
        assert_eq!(refused.headers()["www-authenticate"], "Bearer");
        assert_eq!(bench.get("/healthz").await.0, 200);
        assert_eq!(bench.get("/readyz").await.0, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_a_page_of_another_site_or_a_tunnel_is_refused() {
    let bench = Bench::new().await;
    for (name, value) in
        [("origin", "https://evil.example"), ("host", "tunnel.example"), ("x-forwarded-for", "1.2.3.4")]
    {
        let (status, problem) = answer(bench.request(Method::GET, "/api/internal/tools").header(name, value)).await;
        assert_eq!((status.as_u16(), kind(&problem)), (403, "forbidden"), "{name}");
    }
}
