// SPDX-License-Identifier: Apache-2.0

import CommandOptions
import Testing

private struct Values: Hashable {
    var folder = "/run/x"
    var empty = ""
    var check: String?
    var user: UInt32 = 65534
    var seconds = 900
    var share: Int?
    var networks: [String] = []
    var isQuiet = false

    static var options: CommandOptions<Values> {
        CommandOptions(
            program: "x", abstract: "Does something.", discussion: "Needs nothing. Example: x --folder /run",
            options: [
                .init("folder", \.folder, "The folder of this program, whose help is so long that it takes another line of the text."),
                .init("empty", \.empty, "Nothing by default."), .init("check", \.check, "What to check."),
                .init("user", \.user, "A user, by number."), .init("seconds-to-wait-before-the-end", \.seconds, "Seconds."),
                .init("share", \.share, "A count."), .init("network", \.networks, "A network; may be repeated."),
                .init(flag: "quiet", \.isQuiet, "Say less."),
            ])
    }

    init(_ change: (inout Values) -> Void = { _ in }) { change(&self) }
}

struct CommandOptionsTests {
    @Test(arguments: [
        ([], Values()), (["--folder", "/a"], Values { $0.folder = "/a" }), (["--folder=/a=b"], Values { $0.folder = "/a=b" }),
        (["--folder="], Values { $0.folder = "" }), (["--check", "-1"], Values { $0.check = "-1" }),
        (["--check=--x"], Values { $0.check = "--x" }), (["--user", "7", "--user", "8"], Values { $0.user = 8 }),
        (["--seconds-to-wait-before-the-end", "0", "--quiet"], Values { ($0.seconds, $0.isQuiet) = (0, true) }),
        (["--network", "a", "--share=3", "--network=b"], Values { ($0.networks, $0.share) = (["a", "b"], 3) }),
    ])
    fileprivate func `options set their properties`(words: [String], values: Values) throws {
        #expect(try Values.options.parse(words, into: Values()) == values)
    }

    @Test(arguments: [
        (["--folders", "x"], UsageError.Code.unknownOption, "--folders"), (["-f", "x"], .unknownOption, "-f"),
        (["--"], .unknownOption, "--"),
        (["x"], .unexpectedArgument, "x"), (["-"], .unexpectedArgument, "-"), (["--quiet=yes"], .unexpectedValue, "--quiet"),
        (["--folder"], .missingValue, "--folder"), (["--folder", "--quiet"], .missingValue, "--folder"),
        (["--user", "-1"], .invalidValue, "--user"), (["--user="], .invalidValue, "--user"),
        (["--share", "1.5"], .invalidValue, "--share"),
        (["--user", "4294967296"], .invalidValue, "--user"),
    ])
    func `an invalid word is refused and named`(words: [String], code: UsageError.Code, word: String) {
        let error = #expect(throws: UsageError.self) { try Values.options.parse(words, into: Values()) }
        #expect(error?.code == code && error?.word == word)
    }

    @Test
    func `an error includes the help of its option`() throws {
        let error = try #require(throws: UsageError.self) { try Values.options.parse(["--folde", "x"], into: Values()) }
        #expect(
            error.text(program: "x") == """
                Error: Unknown option '--folde'. Did you mean '--folder'?
                Usage: x <options>
                  See 'x --help' for more information.

                """)
        let value = try #require(throws: UsageError.self) { try Values.options.parse(["--user", "a"], into: Values()) }
        #expect(
            value.text(program: "x").contains("The value 'a' is invalid for '--user <user>'\nHelp:  --user <user>  A user, by number.\n"))
        let unlike = try #require(throws: UsageError.self) { try Values.options.parse(["--zebra"], into: Values()) }
        #expect(unlike.description == "Unknown option '--zebra'")
    }

    @Test(arguments: [["--help"], ["-h"], ["--quiet", "--help", "--unknown"]])
    func `--help has precedence over all other words`(words: [String]) throws {
        #expect(try Values.options.parse(words, into: Values()) == nil)
        #expect(
            Values.options.help(Values()) == """
                OVERVIEW: Does something.

                Needs nothing. Example: x --folder /run

                USAGE: x <options>

                OPTIONS:
                  --folder <folder>       The folder of this program, whose help is so long that
                                          it takes another line of the text. (default: /run/x)
                  --empty <empty>         Nothing by default.
                  --check <check>         What to check.
                  --user <user>           A user, by number. (default: 65534)
                  --seconds-to-wait-before-the-end <seconds-to-wait-before-the-end>
                                          Seconds. (default: 900)
                  --share <share>         A count.
                  --network <network>     A network; may be repeated.
                  --quiet                 Say less.
                  -h, --help              Show help information.

                """)
    }
}
