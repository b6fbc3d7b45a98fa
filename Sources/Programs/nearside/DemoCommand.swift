// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import Linux

struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Demonstrates the driver on this machine, from discovery to a pod with its NICs.",
        discussion: """
            Runs nearside-demo from this program's folder. The part with a pod needs root.
            Example: nearside demo --verbose
            """)

    @Flag(help: "Show the logs of the daemons.")
    var verbose = false

    func run() throws {
        // A separate program, so that nearside links no API server and no kubelet.
        guard let own = Files.resolve("/proc/self/exe"), let slash = own.lastIndex(of: "/") else {
            throw Console.failure("the path of this program is unknown: /proc is not mounted")
        }
        let path = own[..<slash] + "/nearside-demo"
        // SAFETY: the texts outlive the call.
        _ = unsafe withArguments([String(path)] + (verbose ? ["--verbose"] : [])) { unsafe execv(String(path), $0) }
        throw Console.failure("\(SystemError("start", String(path)))")
    }
}
