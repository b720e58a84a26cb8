// SPDX-License-Identifier: Apache-2.0
#include "engine/describe_plugin.hpp"

#include "host/host.hpp"
#include "model/error.hpp"

namespace runner {
namespace {

/// Hears nothing, and grants nothing: a plugin that is only described asks for nothing.
class NoEvents final : public HostEvents {
 public:
    void on_log(std::int32_t, const std::string&) override {}
    void on_output(std::string_view) override {}
    void on_progress(std::uint64_t, std::uint64_t, const std::string&) override {}
    void on_command_shown(const std::vector<std::string>&, const CommandInput&) override {}
    void on_command_begun(const BegunCommand&) override {}
    void on_step_begun(const std::string&, const std::string&) override {}
    bool confirm(const std::string&) override { return false; }
    std::optional<std::string> state_value(std::int32_t, const std::string&) override {
        return std::nullopt;
    }
    void record_files(const std::string&, const std::vector<HostFileChange>&) override {}
    void record_step(const std::string&, const HostValues&) override {}
    void record_step_undone(const std::string&, const HostValues&) override {}
    upgrade::services::FileChanges undone_in_simulation(const std::string&) override { return {}; }
    void on_stop_signal(int) override {}
    void tick() override {}
};

}  // namespace

Manifest describe_plugin(const UniqueFd& image, const std::filesystem::path& file,
                         const StopSignals& signals, const Clock& clock) {
    PhaseRequest request;
    request.phase = HostPhase::preflight;
    request.image = image.get();
    request.describe = true;
    request.repository = std::filesystem::current_path();
    request.info = {{"version", file.filename().string()}};
    PluginHost host({plugin_environment({})}, signals, clock);
    NoEvents events;
    const PhaseResult result = host.run(request, events);
    if (!result.ok())
        throw Error(Failure::preparation,
                    file.string() + " cannot be loaded as an upgrade: " + result.message);
    return Manifest::parse(result.description, file.string() + ": its description");
}

}  // namespace runner
