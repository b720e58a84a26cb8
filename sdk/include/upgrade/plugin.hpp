// SPDX-License-Identifier: Apache-2.0
// The class that an upgrade derives from, and the thin wall between it and the C boundary.
#pragma once

#include <exception>
#include <memory>
#include <type_traits>

#include "upgrade/context.hpp"

namespace upgrade {

/// An upgrade. Override apply, and of the others what is needed. Throwing is how a phase fails.
/// Since 1.0.
class Upgrade {
 public:
    virtual ~Upgrade() = default;

    /// Can it run here at all? Throw Blocked with a reason that a person can act on, or
    /// NothingToDo. Changes nothing.
    virtual void preflight(Context& context) { (void)context; }

    /// The work, written once for the simulation and the real run.
    virtual void apply(Context& context) = 0;

    /// Did it work? Runs after apply, and again later. Throw when not. Changes nothing.
    virtual void verify(Context& context) { (void)context; }

    /// Undo what the host cannot, simulated and for real: by default the undo of every finished
    /// step, newest first. Files are restored by the host afterwards.
    virtual void rollback(Context& context) {
        context.walk([&] { apply(context); });
        context.undo_steps();
    }
};

namespace detail {

/// The description that the build wrote for this upgrade (upgrade_plugin() in CMake).
std::string_view description() noexcept;

/// Owns the upgrade and turns exceptions into status codes; nothing thrown leaves it.
template <typename Type>
class Plugin {
 public:
    explicit Plugin(const upgrade_host& host) : m_context(host) {
        m_plugin.size = sizeof(m_plugin);
        m_plugin.abi_minor = UPGRADE_ABI_MINOR;
        m_plugin.context = this;
        m_plugin.description = to_abi(description());
        m_plugin.apply = [](void* self) noexcept { return guard(self, &Type::apply); };
        if constexpr (!std::is_same_v<decltype(&Type::preflight), void (Upgrade::*)(Context&)>) {
            m_plugin.preflight = [](void* self) noexcept { return guard(self, &Type::preflight); };
        }
        if constexpr (!std::is_same_v<decltype(&Type::verify), void (Upgrade::*)(Context&)>) {
            m_plugin.verify = [](void* self) noexcept { return guard(self, &Type::verify); };
        }
        m_plugin.get_extension = &Plugin::get_extension;
    }

    const upgrade_plugin* abi() const { return &m_plugin; }

 private:
    template <typename Phase>
    static std::int32_t guard(void* self, Phase phase) noexcept {
        auto& plugin = *static_cast<Plugin*>(self);
        try {
            (plugin.m_upgrade.*phase)(plugin.m_context);
            return UPGRADE_OK;
        } catch (const Blocked& blocked) {
            return plugin.report(UPGRADE_BLOCKED, blocked.what(), blocked.remedy());
        } catch (const NothingToDo& nothing) {
            return plugin.report(UPGRADE_NOTHING_TO_DO, nothing.what());
        } catch (const Aborted& aborted) {
            return plugin.report(UPGRADE_ABORTED, aborted.what());
        } catch (const Transient& transient) {
            return plugin.report(UPGRADE_TRANSIENT, transient.what());
        } catch (const Cancelled& cancelled) {
            return plugin.report(UPGRADE_CANCELLED, cancelled.what());
        } catch (const std::exception& error) {
            return plugin.report(UPGRADE_FAILED, error.what());
        } catch (...) {
            return plugin.report(UPGRADE_FAILED, "threw something that is no std::exception");
        }
    }

    std::int32_t report(std::int32_t status, std::string_view message,
                        std::string_view remedy = {}) const noexcept {
        const Services& services = m_context.services();
        if (services.error != nullptr) {
            services.error->report(services.context(), to_abi(message), to_abi(remedy));
        }
        return status;
    }

    static const void* get_extension(void*, upgrade_string id) noexcept {
        static const upgrade_rollback rollback = {
            sizeof(upgrade_rollback), UPGRADE_ABI_MINOR,
            [](void* self) noexcept { return guard(self, &Type::rollback); }};
        return from_abi(id) == UPGRADE_EXTENSION_ROLLBACK ? &rollback : nullptr;
    }

    Context m_context;
    Type m_upgrade;
    upgrade_plugin m_plugin{};
};

}  // namespace detail
}  // namespace upgrade

/// In front of what a plugin exports.
#define UPGRADE_EXPORT extern "C" __attribute__((visibility("default")))

/// Makes `Type`, a default-constructible class derived from upgrade::Upgrade, the upgrade of this
/// library.
#define UPGRADE_PLUGIN(Type)                                                          \
    UPGRADE_EXPORT const upgrade_plugin* upgrade_entry_v1(const upgrade_host* host) { \
        if (host == nullptr || host->size < sizeof(upgrade_host)) return nullptr;     \
        try {                                                                         \
            static upgrade::detail::Plugin<Type> plugin(*host);                       \
            return plugin.abi();                                                      \
        } catch (...) {                                                               \
            return nullptr;                                                           \
        }                                                                             \
    }
