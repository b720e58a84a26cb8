/* SPDX-License-Identifier: Apache-2.0
 *
 * The boundary between an upgrade (a shared library) and the host that runs it. Plain C, version 1.
 *
 * Rules, for both sides:
 *  - A published struct is frozen: it is never changed, not even by appending. New abilities are
 * new structs under new ids ("files/2" beside "files/1"), asked for with get_service and
 * get_extension; NULL means "not supported".
 *  - Every struct begins with its size in bytes and the ABI's minor version; whoever receives one
 * checks `size` first.
 *  - Text is UTF-8, a pointer and a size, without a terminating zero. A pointer that is handed over
 * is valid until the call returns, unless its line says otherwise. Nobody frees memory of the other
 * side: results are handed to a sink.
 *  - Nothing but these types crosses: no C++ type, no exception, no enum, no bool. Functions that
 * cannot fail return void; all others return one of the UPGRADE_* status codes.
 *  - All calls are made on one thread: the host calls the plugin on the process's main thread, and
 * the plugin calls services from inside such a call, on that same thread.
 *
 * An upgrade is loaded into a process of its own, which runs one phase and ends; it is never
 * unloaded.
 */
#ifndef UPGRADE_ABI_H
#define UPGRADE_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UPGRADE_ABI_MAJOR 1
#define UPGRADE_ABI_MINOR 0

/* The one symbol that a plugin exports; a new major version is a new name. */
#define UPGRADE_ENTRY_SYMBOL "upgrade_entry_v1"

/* Status codes: what a phase or a service call came to. */
#define UPGRADE_OK 0     /* done */
#define UPGRADE_FAILED 1 /* did not complete; the message says why */
#define UPGRADE_BLOCKED                                                      \
    2 /* preflight: cannot run here until a person acts; the remedy says how \
       */
#define UPGRADE_NOTHING_TO_DO 3 /* preflight: everything is as this upgrade would make it */
#define UPGRADE_ABORTED 4       /* the user answered no */
#define UPGRADE_CANCELLED 5     /* stopped between steps because the run was cancelled */
#define UPGRADE_NOT_FOUND 6     /* services: there is no such file, key, parameter or value */
#define UPGRADE_DENIED \
    7 /* services: outside what the manifest declares, or not allowed in this phase */
#define UPGRADE_INVALID 8 /* services: an argument that cannot be */
#define UPGRADE_TRANSIENT \
    9 /* did not complete for a reason that may be gone soon: the host tries the phase again */

/* Text of either side. */
typedef struct upgrade_string {
    const char* data; /* may be NULL when size is 0 */
    size_t size;      /* in bytes */
} upgrade_string;

/* Receives a result during a call. `write` copies what it wants to keep; `text` is valid until it
 * returns. It may be called several times, once for each result, where the function says so. */
typedef struct upgrade_sink {
    void* context; /* its owner's; first argument of `write` */
    /* NULL only where a function says so. */
    void (*write)(void* context, upgrade_string text);
} upgrade_sink;

/* What the host hands to the plugin. Valid until the process ends. */
typedef struct upgrade_host {
    uint32_t size;
    uint32_t abi_minor;
    void* context; /* the host's own; first argument of every service function */
    /* The service struct with this id ("files/1"), or NULL. Valid until the process ends. [any
     * phase] */
    const void* (*get_service)(void* context, upgrade_string id);
} upgrade_host;

/* What the plugin hands to the host. Valid until the process ends. */
typedef struct upgrade_plugin {
    uint32_t size;
    uint32_t abi_minor;
    void* context; /* the plugin's own; first argument of its functions */
    /* The author's part of the manifest and the version, as a JSON object. Must equal the published
     * manifest. */
    upgrade_string description;
    /* Can it run here at all? UPGRADE_OK, UPGRADE_NOTHING_TO_DO, UPGRADE_BLOCKED or a failure.
     * Changes nothing. NULL: always UPGRADE_OK. */
    int32_t (*preflight)(void* context);
    /* The work. The same function serves the simulation, in which files are an overlay and changing
     * commands are shown instead of run. Never NULL. */
    int32_t (*apply)(void* context);
    /* Did it work? Runs after apply and again later. Changes nothing. NULL: nothing to check. */
    int32_t (*verify)(void* context);
    /* The extension struct with this id ("rollback/1"), or NULL. Valid until the process ends. */
    const void* (*get_extension)(void* context, upgrade_string id);
} upgrade_plugin;

/* Exported by every plugin under UPGRADE_ENTRY_SYMBOL. Called once, before any phase; NULL: the
 * plugin cannot be made, and error/1 has been told why. */
typedef const upgrade_plugin* (*upgrade_entry)(const upgrade_host* host);

/* ---- Extensions: what the host asks of the plugin
 * ---------------------------------------------------------------- */

/* Undoing an upgrade. [rollback] */
#define UPGRADE_EXTENSION_ROLLBACK "rollback/1"
typedef struct upgrade_rollback {
    uint32_t size;
    uint32_t abi_minor;
    /* Undoes what is no file; the host restores files after it. Simulated, too, as apply is. */
    int32_t (*rollback)(void* context);
} upgrade_rollback;

/* ---- Services: what the plugin asks of the host
 * -------------------------------------------------------------------- */

/* Why a phase did not return UPGRADE_OK. The last report before the return counts. [any phase] */
#define UPGRADE_SERVICE_ERROR "error/1"
typedef struct upgrade_error_service {
    uint32_t size;
    uint32_t abi_minor;
    /* `message`: what is wrong. `remedy`: what a person does about it; may be empty. */
    void (*report)(void* context, upgrade_string message, upgrade_string remedy);
} upgrade_error_service;

#define UPGRADE_LOG_DEBUG 0
#define UPGRADE_LOG_INFO 1
#define UPGRADE_LOG_WARNING 2
#define UPGRADE_LOG_ERROR 3

/* Lines for the operator and the upgrade's log. [any phase] */
#define UPGRADE_SERVICE_LOG "log/1"
typedef struct upgrade_log_service {
    uint32_t size;
    uint32_t abi_minor;
    /* One or more lines; `level` is one of UPGRADE_LOG_*. */
    void (*write)(void* context, int32_t level, upgrade_string text);
} upgrade_log_service;

/* Facts about this run: "version", "clusterName", "clusterRegion", "clusterAccountID",
 * "repositoryDirectory", "temporaryDirectory", "debug" ("true" or "false"). [any phase] */
#define UPGRADE_SERVICE_INFO "info/1"
typedef struct upgrade_info_service {
    uint32_t size;
    uint32_t abi_minor;
    /* UPGRADE_NOT_FOUND for a key that the host does not know. */
    int32_t (*get)(void* context, upgrade_string key, upgrade_sink value);
} upgrade_info_service;

/* Declared parameters. [any phase] */
#define UPGRADE_SERVICE_PARAMETERS "parameters/1"
typedef struct upgrade_parameters_service {
    uint32_t size;
    uint32_t abi_minor;
    /* UPGRADE_NOT_FOUND: declared, but it has no value. UPGRADE_DENIED: not declared in the
     * manifest. */
    int32_t (*get)(void* context, upgrade_string name, upgrade_sink value);
} upgrade_parameters_service;

#define UPGRADE_SCOPE_UPGRADE 0 /* the value belongs to this upgrade */
#define UPGRADE_SCOPE_CLUSTER 1 /* the value is shared by all upgrades of the cluster */

/* Key-value pairs in the ledger. A value that was set is stored together with the step, or the
 * completion, in which it was set; in a simulation it is forgotten. */
#define UPGRADE_SERVICE_STATE "state/1"
typedef struct upgrade_state_service {
    uint32_t size;
    uint32_t abi_minor;
    int32_t (*get)(void* context, int32_t scope, upgrade_string key,
                   upgrade_sink value); /* [any phase] */
    int32_t (*set)(void* context, int32_t scope, upgrade_string key,
                   upgrade_string value); /* [apply, rollback] */
} upgrade_state_service;

/* How far it is. [any phase] */
#define UPGRADE_SERVICE_PROGRESS "progress/1"
typedef struct upgrade_progress_service {
    uint32_t size;
    uint32_t abi_minor;
    /* `done` of `total` units; total 0: unknown. */
    void (*report)(void* context, uint64_t done, uint64_t total, upgrade_string message);
} upgrade_progress_service;

/* A question to the user. [apply, rollback] */
#define UPGRADE_SERVICE_PROMPT "prompt/1"
typedef struct upgrade_prompt_service {
    uint32_t size;
    uint32_t abi_minor;
    /* UPGRADE_OK: yes, also when the run skips confirmations or is a simulation. UPGRADE_ABORTED:
     * no, also when nobody can be asked. */
    int32_t (*confirm)(void* context, upgrade_string question);
} upgrade_prompt_service;

/* Whether the run is being cancelled; a plugin asks between pieces of long work. [any phase] */
#define UPGRADE_SERVICE_CANCEL "cancel/1"
typedef struct upgrade_cancel_service {
    uint32_t size;
    uint32_t abi_minor;
    int32_t (*requested)(void* context); /* 1: stop at the next safe point; 0: go on */
} upgrade_cancel_service;

#define UPGRADE_STEP_RUN 0 /* do it, then call finish */
#define UPGRADE_STEP_SKIP \
    1 /* finished in an earlier attempt (or, in a rollback, never begun): leave it out */
#define UPGRADE_STEP_UNDO \
    2 /* rollback: this step is to be undone, in reverse order, after the walk over all steps */

/* The journal of steps. A finished step is not run again when a run that died is started anew.
 * Steps do not nest. [apply, rollback] */
#define UPGRADE_SERVICE_STEPS "steps/1"
typedef struct upgrade_steps_service {
    uint32_t size;
    uint32_t abi_minor;
    /* `id` is unique within the upgrade. `action` receives one of UPGRADE_STEP_*.
     * UPGRADE_CANCELLED: the run is being cancelled, and the plugin returns UPGRADE_CANCELLED. */
    int32_t (*begin)(void* context, upgrade_string id, upgrade_string description, int32_t* action);
    /* Commits the step's files and state values together with the step itself. */
    int32_t (*finish)(void* context, upgrade_string id);
    /* The step's undo has run. [rollback] */
    int32_t (*undone)(void* context, upgrade_string id);
} upgrade_steps_service;

/* For a rollback that finds the undo of its finished steps by walking over its apply function:
 * while the walk is on, what stands outside of steps changes nothing. Files that are written are
 * forgotten at the end of the walk, changing commands are left out, questions count as answered
 * with yes, state values are not kept. [rollback] */
#define UPGRADE_SERVICE_WALK "walk/1"
typedef struct upgrade_walk_service {
    uint32_t size;
    uint32_t abi_minor;
    /* `on`: 1 begins the walk, 0 ends it. UPGRADE_DENIED in any phase but rollback. */
    int32_t (*set)(void* context, int32_t on);
} upgrade_walk_service;

#define UPGRADE_FILE_NONE 0
#define UPGRADE_FILE_REGULAR 1
#define UPGRADE_FILE_FOLDER 2

/* Files of the cluster's repository. Paths are relative to the repository directory and use '/';
 * they may not lead out of it, not through links either. Reads see what this upgrade has written,
 * and in a simulation also what the upgrades before it would have written. Writes are held back
 * until the step (or, outside of steps, the phase) is finished, and then all made, each file in one
 * piece, with the originals kept. Writing needs a declared path and is UPGRADE_DENIED in preflight
 * and verify. [any phase] */
#define UPGRADE_SERVICE_FILES "files/1"
typedef struct upgrade_files_service {
    uint32_t size;
    uint32_t abi_minor;
    int32_t (*kind)(void* context, upgrade_string path, int32_t* kind); /* one of UPGRADE_FILE_* */
    /* The whole file. UPGRADE_NOT_FOUND when there is none. */
    int32_t (*read)(void* context, upgrade_string path, upgrade_sink content);
    /* Replaces or makes the file, and the folders above it. */
    int32_t (*write)(void* context, upgrade_string path, upgrade_string content);
    /* UPGRADE_NOT_FOUND when there is none. */
    int32_t (*remove)(void* context, upgrade_string path);
    /* One file. UPGRADE_NOT_FOUND when there is none, UPGRADE_INVALID when `to` is taken. */
    int32_t (*move)(void* context, upgrade_string from, upgrade_string to);
    /* Every regular file whose path matches, in bytewise order: '*' and '?' within one folder, '**'
     * over any number. */
    int32_t (*glob)(void* context, upgrade_string pattern, upgrade_sink each_path);
} upgrade_files_service;

/* One value of a YAML document, every other byte kept. Works on text; no files are touched.
 * `selector`: keys joined by '.', keys with other characters in double quotes; list items as
 * [index], [key=value] for mappings, [=value] for single values, and [+] for a new one at the end:
 * spec.containers[name=server].image. In a stream of several documents the selector must match in
 * exactly one, or begin with one of them chosen by its values:
 * {kind=Deployment,metadata.name=web}.spec.replicas. [any phase] */
#define UPGRADE_SERVICE_YAML "yaml/1"
typedef struct upgrade_yaml_service {
    uint32_t size;
    uint32_t abi_minor;
    /* The scalar at `selector`; UPGRADE_NOT_FOUND when there is none, UPGRADE_INVALID (with error/1
     * told why) when the text is no YAML or the selector matches a list or a mapping. */
    int32_t (*get)(void* context, upgrade_string text, upgrade_string selector, upgrade_sink value);
    /* `text` with the scalar at `selector` replaced by `value`, or, where the last key is missing
     * in a mapping that is there, with the key added at the mapping's end. `value` is written as
     * text that reads back as the same string or, where it looks like one, number or boolean, and
     * quoted only where that is needed or the old value was quoted. */
    int32_t (*set)(void* context, upgrade_string text, upgrade_string selector,
                   upgrade_string value, upgrade_sink new_text);
    /* `text` without the entry at `selector`, comments on its own lines included. */
    int32_t (*remove)(void* context, upgrade_string text, upgrade_string selector,
                      upgrade_sink new_text);
} upgrade_yaml_service;

#define UPGRADE_EXEC_QUERY 0 /* reads only; runs in every phase, in a simulation too */
#define UPGRADE_EXEC_CHANGE                                                               \
    1 /* changes something; in a simulation it is shown and counts as successful; [apply, \
         rollback] */
#define UPGRADE_EXEC_RENDER                                                                      \
    2 /* only reads, but reads what this upgrade has changed: in a simulation, where that is not \
         on disk, it is shown and counts as successful; for real the sink is called at least     \
         once; [apply, rollback] */

/* One call of a program. */
typedef struct upgrade_command {
    uint32_t size;
    uint32_t abi_minor;
    int32_t kind;                    /* one of UPGRADE_EXEC_* */
    uint32_t timeout_ms;             /* 0: only the upgrade's own limit */
    const upgrade_string* arguments; /* argv, the program first: its name, looked up in PATH */
    size_t argument_count;           /* at least 1 */
    upgrade_string input;            /* what it reads from its standard input */
} upgrade_command;

/* Programs, never through a shell. Only those that the manifest declares. Standard error goes to
 * the log line by line; so does standard output when `output` has no function. */
#define UPGRADE_SERVICE_EXEC "exec/1"
typedef struct upgrade_exec_service {
    uint32_t size;
    uint32_t abi_minor;
    /* UPGRADE_OK: it ran; `exit_status` is its exit status, or 128 and the signal that ended it.
     * UPGRADE_DENIED: not declared, or a change in preflight or verify. UPGRADE_NOT_FOUND: no such
     * program. UPGRADE_FAILED: it could not be started, or it took longer than its limit and was
     * ended. UPGRADE_CANCELLED: ended because the run was cancelled. */
    int32_t (*run)(void* context, const upgrade_command* command, upgrade_sink output,
                   int32_t* exit_status);
} upgrade_exec_service;

#ifdef __cplusplus
}
#endif

#endif /* UPGRADE_ABI_H */
