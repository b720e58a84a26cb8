#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What test-release and release-upgrade share: building one upgrade, and publishing a folder as a release of a forge.
# They set `root` (the repository), `version` and `build_folder` before they call it; a failure ends them.
# shellcheck disable=SC2154

die() {
    printf 'error: %s\n' "$1" >&2
    [[ $# -lt 2 ]] || printf '       %s\n' "$2" >&2
    exit "${3:-2}"
}

note() { printf '== %s\n' "$*" >&2; }

# version_of TAG: a leading v is dropped, the first + is a dot.
version_of() {
    local version=${1#v}
    printf '%s' "${version/+/.}"
}

is_repository_name() { [[ $1 =~ ^[A-Za-z0-9_-][A-Za-z0-9._-]*/[A-Za-z0-9_-][A-Za-z0-9._-]*$ ]]; }

require_upgrade_of() {
    [[ -f $root/upgrades/$(version_of "$1")/upgrade.json ]] ||
        die "the tag '$1' is of the upgrade $(version_of "$1"), and upgrades/$(version_of "$1") is not there" \
            "./scaffold-upgrade --list shows the upgrades"
}

find_runner() {
    local candidate
    for candidate in "$root/build/release/bin/runner" "$(command -v runner || true)"; do
        [[ -x $candidate ]] && { printf '%s' "$candidate"; return; }
    done
    die "the program runner is not here" "build it (./dev build), or install it"
}

# build_upgrade all|sdk: builds and tests the upgrade, and prints the folder of the plugins; sdk: without the program.
# Each command is asked whether it failed: where a function is tried (f || die), errexit is off inside it.
build_upgrade() {
    local test="^upgrade\\.${version//./\\.}\$"
    if [[ -x $root/dev && -d $root/sdk && $1 == sdk ]]; then
        (cd "$root" && cmake --preset sdk > /dev/null && cmake --build --preset sdk &&
            ctest --preset sdk --no-tests=error -R "$test") >&2 &&
            printf '%s' "$root/build/sdk/plugins"
    elif [[ -x $root/dev && -d $root/sdk ]]; then
        "$root/dev" build release >&2 &&
            (cd "$root" && ctest --preset release --no-tests=error -R "$test") >&2 &&
            printf '%s' "$root/build/release/plugins"
    else
        [[ -n ${CMAKE_GENERATOR:-} || -f $root/$build_folder/CMakeCache.txt ]] || ! command -v ninja > /dev/null || export CMAKE_GENERATOR=Ninja
        cmake -S "$root" -B "$root/$build_folder" > /dev/null &&
            cmake --build "$root/$build_folder" >&2 &&
            ctest --test-dir "$root/$build_folder" --no-tests=error -R "$test" >&2 &&
            printf '%s' "$root/$build_folder/plugins"
    fi
}

# forge_releases OWNER/NAME: sets forge_base, the address of the repository's releases.
forge_releases() {
    local address=${GITHUB_API_URL:-https://api.github.com}
    case $address in
        https://* | http://127.* | http://localhost* | "http://[::1]"*) ;;
        *) die "GITHUB_API_URL is $address: plain http is for loopback addresses only" ;;
    esac
    [[ -n ${GITHUB_TOKEN:-} ]] || die "GITHUB_TOKEN is not set" "it needs the right to write the contents of $1"
    command -v jq > /dev/null || die "jq is not installed" "install it: apt-get install jq"
    forge_base=${address%/}/repos/$1/releases
}

# api METHOD URL [CURL OPTIONS]: sets api_body and api_status of the reply.
api() {
    local method=$1 url=$2 reply
    shift 2
    reply=$(curl --silent --show-error --max-time 300 --proto '=https,http' --request "$method" --write-out '\n%{http_code}' \
        --header 'Accept: application/vnd.github+json' --header 'X-GitHub-Api-Version: 2022-11-28' \
        --header @<(printf 'Authorization: Bearer %s\n' "${GITHUB_TOKEN:-}") "$@" "$url") ||
        die "$method $url failed" "is the address right, and the network there? Run it again: it replaces what it left" 3
    api_status=${reply##*$'\n'}
    api_body=${reply%$'\n'*}
}

expect() {
    [[ $api_status == "$1" ]] || die "$2: the forge answered $api_status: $(jq -r '.message? // empty' <<< "$api_body" 2> /dev/null)" \
        "correct the cause and run it again: it replaces what it left" 3
}

# released TAG: asks for the published release of a tag; false when there is none.
released() {
    api GET "$forge_base/tags/$(jq -rn --arg tag "$1" '$tag | @uri')"
    [[ $api_status != 404 ]] || return 1
    expect 200 "looking for a release of $1"
}

# delete_drafts TAG: what earlier, broken attempts have left. Drafts have no address by tag: they are looked for in the list.
delete_drafts() {
    local page=1 id
    while [[ $page -le 100 ]]; do
        api GET "$forge_base?per_page=100&page=$page"
        expect 200 "listing the releases"
        for id in $(jq -r --arg tag "$1" '.[] | select(.draft and .tag_name == $tag) | .id' <<< "$api_body"); do
            note "deleting the unfinished draft $id"
            local listed=$api_body
            api DELETE "$forge_base/$id"
            expect 204 "deleting an unfinished draft"
            api_body=$listed
        done
        [[ $(jq length <<< "$api_body") -eq 100 ]] || return 0
        page=$((page + 1))
    done
}

# publish_folder TAG FOLDER PRERELEASE TEXT: draft, upload all, compare what has arrived, and only then publish.
publish_folder() {
    local tag=$1 folder=$2 prerelease=$3 text=$4 id upload file name
    api POST "$forge_base" --data "$(jq -n --arg tag "$tag" --arg text "$text" --argjson prerelease "$prerelease" \
        '{tag_name: $tag, name: $tag, body: $text, draft: true, prerelease: $prerelease}')"
    expect 201 "making the draft"
    id=$(jq -r .id <<< "$api_body")
    upload=$(jq -r .upload_url <<< "$api_body")
    upload=${upload%%\{*}
    for file in "$folder"/*; do
        name=$(basename "$file")
        note "uploading $name"
        api POST "$upload?name=$name" --header 'Content-Type: application/octet-stream' --data-binary "@$file"
        expect 201 "uploading $name"
    done
    api GET "$forge_base/$id"
    expect 200 "looking at the draft"
    compare_assets "$folder"
    api PATCH "$forge_base/$id" --data '{"draft": false}'
    expect 200 "publishing the draft"
}

# compare_assets FOLDER: the draft in api_body holds these files, all of them, nothing else, and each as it was sent.
compare_assets() {
    local file name size digest found expected remote
    expected=$(find "$1" -maxdepth 1 -type f -printf '%f\n' | LC_ALL=C sort)
    found=$(jq -r '.assets[].name' <<< "$api_body" | LC_ALL=C sort)
    [[ $found == "$expected" ]] ||
        die "the draft holds other assets than were sent: $(tr '\n' ' ' <<< "$found"); it stays unpublished" "run it again" 3
    while read -r name; do
        file=$1/$name
        size=$(stat -c %s "$file")
        digest=sha256:$(sha256sum "$file" | cut -d ' ' -f 1)
        remote=$(jq -r --arg name "$name" '.assets[] | select(.name == $name) | "\(.state) \(.size) \(.digest // "")"' <<< "$api_body")
        [[ $remote == "uploaded $size $digest" || $remote == "uploaded $size " ]] ||
            die "$name arrived as '$remote', sent was '$size $digest'; the draft stays unpublished" "run it again" 3
    done <<< "$expected"
}
