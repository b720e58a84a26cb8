// SPDX-License-Identifier: Apache-2.0
// Secrets as real programs write them: Python and Node.js, where they are there.
#include <cstdlib>

#include "model/json.hpp"
#include "services/command.hpp"
#include "services/program.hpp"
#include "support/catch.hpp"
#include "support/masking.hpp"

using namespace runner;
using test::EncodedSecret;

namespace {

constexpr const char* k_python = R"(
import base64, binascii, html, json, quopri, shlex, sys, urllib.parse
secret = json.load(sys.stdin)
raw = secret.encode()
user = b'user:' + raw
basic = 12
def show(how, text, around, longest):
    out.append([how, text, around, longest])
out = []
show('json', json.dumps(secret), 2, 12)
show('json, no ASCII', json.dumps(secret, ensure_ascii=False), 2, 6)
show('json in json', json.dumps(json.dumps(secret)), 6, 18)
show('json for JavaScript', json.dumps(secret).replace('<', '\\u003c').replace('/', '\\/'), 2, 12)
show('repr', repr(secret), 3, 10)
show('ascii', ascii(secret), 3, 12)
show('repr of bytes', repr(raw), 4, 16)
show('quote', urllib.parse.quote(secret), 0, 12)
show('quote, all', urllib.parse.quote(secret, safe=''), 0, 12)
show('quote_plus', urllib.parse.quote_plus(secret), 0, 12)
show('urlencode', urllib.parse.urlencode({'p': secret}), 2, 12)
show('html', html.escape(secret), 0, 6)
show('html, character references', html.escape(secret).encode('ascii', 'xmlcharrefreplace').decode(), 0, 10)
show('html in json', json.dumps(html.escape(secret)), 2, 12)
show('shlex', shlex.quote(secret), 2, 5)
show('shlex in json', json.dumps('echo ' + shlex.quote(secret)), 8, 12)
show('base64', base64.b64encode(user).decode(), basic, 2)
show('base64, lines', base64.encodebytes(user * 3).decode(), 3 * basic, 2)
show('base64, url', base64.urlsafe_b64encode(user).decode(), basic, 2)
show('base64 in a query', urllib.parse.quote_plus(base64.b64encode(user).decode()), basic + 6, 6)
show('base64 in html', html.escape(base64.b64encode(user).decode()), basic, 6)
show('base64 of json', base64.b64encode(json.dumps({'p': secret}).encode()).decode(), 20, 16)
show('docker', base64.b64encode(json.dumps({'auths': {'r': {'auth': base64.b64encode(user).decode()}}}).encode()).decode(), 80, 16)
show('hex', raw.hex(), 0, 3)
show('hex, colons', raw.hex(':'), len(raw), 4)
show('hex, pairs of bytes', raw.hex(' ', 2), 0, 3)
json.dump(out, sys.stdout)
)";

constexpr const char* k_node = R"(
const secret = JSON.parse(require('fs').readFileSync(0));
const raw = Buffer.from(secret);
const out = [
  ['JSON.stringify', JSON.stringify(secret), 2, 6],
  ['twice', JSON.stringify(JSON.stringify(secret)), 6, 12],
  ['encodeURIComponent', encodeURIComponent(secret), 0, 12],
  ['encodeURI', encodeURI(secret), 0, 12],
  ['URLSearchParams', new URLSearchParams({p: secret}).toString(), 2, 12],
  ['inspect', require('util').inspect({p: secret}), 8 + 4 * secret.split('\n').length, 6],
  ['inspect of bytes', require('util').inspect(raw), 12, 3],
  ['base64url', raw.toString('base64url'), 2, 2],
];
process.stdout.write(JSON.stringify(out));
)";

/// What a program makes of each secret; empty when it is not there.
std::vector<EncodedSecret> made_by(const std::vector<std::string>& command,
                                   const std::string& secret) {
    if (upgrade::services::find_program(command.front()).empty()) return {};
    upgrade::services::CommandSpec spec;
    spec.arguments = command;
    for (const char* name : {"PATH", "HOME"}) {
        if (const char* value = std::getenv(name))
            spec.environment.push_back(std::string(name) + '=' + value);
    }
    spec.folder = "/";
    spec.timeout = std::chrono::seconds(60);
    spec.input = dump_json(Json(secret));
    std::string output;
    spec.on_output = [&](std::string_view piece) { output += piece; };
    REQUIRE(upgrade::services::run_command(spec) == 0);
    std::vector<EncodedSecret> all;
    for (const Json& one : parse_json(output, command.front()))
        all.push_back({command.front() + ", " + one.at(0).get<std::string>(),
                       one.at(1).get<std::string>(), one.at(2).get<std::size_t>(),
                       one.at(3).get<std::size_t>()});
    return all;
}

}  // namespace

TEST_CASE("secrets are masked as Python and Node.js write them, broken at each place") {
    for (const std::string secret :
         {"p@ss w\xc3\xb6rd/\"1+", "it's \"<&>\" \\n %41 `$x`",
          "\xf0\x9f\x94\x91 key\xe2\x80\xa8!~", "first line\nsecond 'line'\n\tthird + line/=="}) {
        Redactor redactor;
        redactor.add("s", secret);
        for (const auto& command : {std::vector<std::string>{"python3", "-c", k_python},
                                    std::vector<std::string>{"node", "-e", k_node}}) {
            for (const EncodedSecret& encoded : made_by(command, secret))
                test::check_masked(redactor, encoded);
        }
    }
}
