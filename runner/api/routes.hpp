// SPDX-License-Identifier: Apache-2.0
// One function for each route.
#pragma once

#include "api/api.hpp"

namespace runner {

// service_routes.cpp
void show_health(Api& api, Call& call);
void show_readiness(Api& api, Call& call);
void show_metrics(Api& api, Call& call);
void show_openapi(Api& api, Call& call);

// cluster_routes.cpp
void list_clusters(Api& api, Call& call);
void show_cluster(Api& api, Call& call);
void check_cluster(Api& api, Call& call);
void check_all(Api& api, Call& call);
void discover(Api& api, Call& call);
void show_history(Api& api, Call& call);
void show_escape_hatch(Api& api, Call& call);

// job_routes.cpp
void start_upgrade(Api& api, Call& call);
void start_rollback(Api& api, Call& call);
void show_rollback_preflight(Api& api, Call& call);
void show_job(Api& api, Call& call);
void show_events(Api& api, Call& call);
void show_log(Api& api, Call& call);
void cancel_job(Api& api, Call& call);

}  // namespace runner
