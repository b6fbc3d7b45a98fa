// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Discovery
import Glibc
import Hardware
import Inspection
import Linux
import Primitives
import Topology

/// Options for the source of a command's machine, and for the operator's policy.
struct SourceOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Name of an embedded machine (--machine list prints them), or file with a machine description.", valueName: "name|file"))
    var machine: String?

    @Option(help: ArgumentHelp("Folder with a captured sys and proc.", valueName: "dir"))
    var hostRoot: String?

    @Option(
        help: ArgumentHelp("File with a topology policy: roles of NICs, and hints (api/topology-policy.schema.json).", valueName: "file"))
    var policy: String?

    @Option(help: ArgumentHelp("NICs of the fabric, such as id=15b3:101e or interface=ib*; may be repeated.", valueName: "selector"))
    var fabric: [String] = []

    @Option(help: ArgumentHelp("NCCL topology file with the PCI hierarchy that the hypervisor hides.", valueName: "xml"))
    var hint: String?

    func validate() throws {
        if machine != nil, hostRoot != nil { throw ValidationError("--machine and --host-root exclude each other") }
    }

    private var source: MachineSource {
        if let machine { return .description(machine) }
        if let hostRoot { return .tree(hostRoot) }
        return .live
    }

    /// Reads the machine. Ends the program with an error if the source is unusable.
    func read() throws -> Machine {
        if machine == "list" {
            Console.print(MachineDescription.embeddedNames.joined(separator: "\n") + "\n")
            throw ExitCode.success
        }
        do throws(InputError) { return try source.read() } catch { throw Console.failure("\(error)") }
    }

    func readPolicy() throws -> TopologyPolicy {
        do throws(InputError) { return try PolicyFile.policy(file: policy, fabric: fabric, hint: hint) } catch {
            throw Console.failure("\(error)")
        }
    }

    func readTopology() throws -> MachineTopology { MachineTopology(try read(), policy: try readPolicy()) }
}

/// The common output formats.
enum OutputForm: String, ExpressibleByArgument, CaseIterable {
    case text, json, yaml
}

struct OutputOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "Format: text, json or yaml.")
    var output = OutputForm.text

    func show(text: String, document: some Encodable) throws {
        switch output {
        case .text: Console.print(text)
        case .json: Console.print(try JSONOutput.text(document))
        case .yaml: Console.print(try YAMLOutput.text(document))
        }
    }
}

/// Output to the terminal.
enum Console {
    static func print(_ text: String) { StandardStream.output.write(text) }

    /// Prints one line to standard error, and returns the exit code to throw.
    static func failure(_ text: String) -> ExitCode {
        StandardStream.error.write("nearside: \(text)\n")
        return ExitCode(1)
    }

    /// The terminal's capabilities. Colours need a terminal, and no NO_COLOR (no-color.org).
    static var terminal: Terminal {
        guard isatty(1) == 1 else { return Terminal() }
        var size = winsize()
        // SAFETY: the call fills in the structure.
        let width = unsafe ioctl(1, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
        let isPlain = Environment.value("NO_COLOR")?.isEmpty == false
        let isDumb = ["dumb", nil].contains(Environment.value("TERM"))
        return Terminal(width: width, hasColours: !isPlain && !isDumb)
    }
}
