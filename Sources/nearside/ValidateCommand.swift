// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClaimConfig
import Inspection
import Linux

struct ValidateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate",
        abstract: "Says what is wrong with the configurations in a file.",
        discussion: """
            The file is a ResourceClaim, ResourceClaimTemplate, DeviceClass, a List
            of them, or a configuration alone; in JSON, or in YAML where kubectl
            reaches a cluster that reads it. Every problem is one line, with its
            place and what would be right. Examples:
              nearside validate claim.json
              kubectl get deviceclasses -o json | nearside validate -
            """)

    @Argument(help: "The file; - is standard input.")
    var file: String

    @Option(help: "Name of the driver: configurations of others are left alone.")
    var driver = "dra.nearside"

    func run() throws {
        let check: ConfigCheck
        do {
            check = try ConfigCheck(try bytes(), driver: driver)
        } catch let error as ConfigCheck.Unreadable { throw Console.failure("\(file) \(error)") } catch let error as SystemError {
            throw Console.failure("\(error)")
        }
        for problem in check.problems { Console.print("\(problem)\n") }
        if !check.problems.isEmpty {
            throw Console.failure("\(file): \(check.problems.count == 1 ? "1 problem" : "\(check.problems.count) problems")")
        }
        Console.print(
            check.count == 0
                ? "\(file): no configuration of \(driver)\n"
                : "\(file): \(check.count == 1 ? "1 configuration" : "\(check.count) configurations") of \(driver), nothing wrong\n")
    }

    private func bytes() throws -> [UInt8] {
        if file == "-" { return try Descriptor(owning: 0).readToEnd(limit: 64 << 20) }
        let bytes = try Files.read(file, limit: 64 << 20)
        guard bytes.first(where: { $0 > 0x20 }) != UInt8(ascii: "{") else { return bytes }
        return try Kubectl.json(ofFile: file)
    }
}
