// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClaimConfig
import Inspection
import Linux
import Primitives

struct ValidateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate",
        abstract: "Checks the configurations of this driver in a file.",
        discussion: """
            The file is a ResourceClaim, ResourceClaimTemplate, DeviceClass, a List
            of them, or a single configuration. JSON needs no cluster; YAML is converted
            by kubectl, which needs one. Each problem is one line with its path and
            the valid values. In a claim, a setting that only a class may have is
            a problem too. Examples:
              nearside validate claim.json
              nearside validate --explain
              kubectl get deviceclasses -o json | nearside validate -
            """)

    @Argument(help: "The file, or - for standard input.")
    var file: String?

    @Flag(help: "Print all fields with their types, limits, and the author that may set them.")
    var explain = false

    @Option(help: "Name of the driver: configurations of other drivers are ignored.")
    var driver = "dra.nearside"

    @Option(help: "Privileged settings that claims may have, as with nearside-node --allow-claims.")
    var allowClaims = ""

    func validate() throws {
        if file == nil, !explain { throw ValidationError("set a file, or --explain") }
    }

    func run() throws {
        if explain { Console.print(ConfigTable.text) }
        guard let file else { return }
        let allowed: Set<String>
        do throws(InputError) { allowed = try PrivilegedSetting.allowed(allowClaims) } catch {
            throw ValidationError("--allow-claims: \(error)")
        }
        let check: ConfigCheck
        do { check = try ConfigCheck(try bytes(file), driver: driver, allowed: allowed) } catch let error as InputError {
            throw Console.failure("\(error.within(file))")
        } catch let error as SystemError { throw Console.failure("\(error)") }
        for problem in check.problems { Console.print("\(problem)\n") }
        let count = check.problems.count + check.omitted
        if check.omitted > 0 { Console.print("and \(check.omitted) more\n") }
        if count > 0 { throw Console.failure("\(file): \(count == 1 ? "1 problem" : "\(count) problems")") }
        for note in check.notes { Console.print("in a claim: \(note)\n") }
        Console.print(
            check.count == 0
                ? "\(file): no configuration of \(driver)\n"
                : "\(file): \(check.count == 1 ? "1 configuration" : "\(check.count) configurations") of \(driver), valid\n")
    }

    private func bytes(_ file: String) throws -> [UInt8] {
        if file == "-" { return try Descriptor(owning: 0).readToEnd(limit: 64 << 20) }
        let bytes = try Files.read(file, limit: 64 << 20)
        guard bytes.first(where: { $0 > 0x20 }) != UInt8(ascii: "{") else { return bytes }
        return try Kubectl.json(ofFile: file)
    }
}
