// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Inspection
import Linux
import Primitives
import ResourceAPI

/// Access to a cluster through kubectl, which supports every form of authentication.
enum Kubectl {
    private static let limit = 1 << 30

    static func get(_ arguments: [String]) throws -> [UInt8] {
        let words = ["kubectl"] + arguments
        let ended: (status: Int32, output: [UInt8])
        do throws(SystemError) { ended = try Command.run(words, limit: limit) } catch {
            throw Console.failure("cannot run kubectl, which all commands with a cluster need: \(error)")
        }
        guard ended.status == 0 else {
            throw Console.failure("\(words.joined(separator: " ")) exited with status \(ended.status); its message is above")
        }
        return ended.output
    }

    static func state(withClaims: Bool = true) throws -> ClusterState {
        let slices = try get(["get", "resourceslices.resource.k8s.io", "-o", "json"])
        let claims = withClaims ? try get(["get", "resourceclaims.resource.k8s.io", "-A", "-o", "json"]) : Array(#"{"items": []}"#.utf8)
        do throws(InputError) { return try ClusterState(slices: slices, claims: claims) } catch {
            throw Console.failure("kubectl: \(error)")
        }
    }

    /// Reads a file of manifests as JSON. kubectl converts YAML, and asks the cluster for its kinds.
    static func json(ofFile file: String) throws -> [UInt8] {
        try get(["create", "--dry-run=client", "--validate=false", "-o", "json", "-f", file])
    }

    static func version() throws -> ResourceAPIVersion? {
        let served = Set(String(decoding: try get(["api-versions"]), as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init))
        return ResourceAPIVersion.allCases.first { served.contains($0.groupVersion) }
    }
}

struct ClusterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster",
        abstract: "Shows free and allocated pairs of every node, their claims and the alignment.",
        discussion: """
            Reads ResourceSlices and ResourceClaims through kubectl, and nothing else.
            ALIGNED counts accelerators whose claim has a NIC of the same pair; for another
            driver's accelerators, a NIC below the same host bridge.
            Examples:
              nearside cluster
              nearside cluster -o json
            Exit status: 0 success; 2 a claim is not aligned; 1 the
            cluster cannot be read.
            """)

    @OptionGroup var output: OutputOptions

    @Option(help: "Name of the driver.")
    var driver = "dra.nearside"

    func run() throws {
        let document = ClusterDocument(try Kubectl.state(), driver: driver)
        try output.show(text: document.text, document: document)
        let isAligned = document.nodes.flatMap(\.claims).allSatisfy { ($0.aligned ?? $0.accelerators) == $0.accelerators }
        if !isAligned { throw ExitCode(2) }
    }
}

struct ClaimCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "claim",
        abstract: "Prints a ResourceClaimTemplate for accelerators with their NICs.",
        discussion: """
            The output is YAML for kubectl apply -f -. The form of the request for a pair
            depends on the cluster: --ask-cluster detects it through kubectl;
            --form sets it. --machine gives the number of accelerators of a pair.
            Examples:
              nearside claim 4
              nearside claim 4 --rails 0-3 --together required
              nearside claim 2 --form vendor --machine aws-p4d
              nearside claim 8 --ask-cluster | kubectl apply -f -
            """)

    enum Form: String, ExpressibleByArgument, CaseIterable {
        case pairs, constraints, vendor
    }

    enum Output: String, ExpressibleByArgument, CaseIterable {
        case yaml, json
    }

    @Argument(help: "Number of accelerators.")
    var accelerators = 1

    @Option(help: "Placement on one NUMA node: required, preferred or any.")
    var together = ClaimRequest.Together.preferred

    @Option(help: "Rails of the pairs, such as 0-3.")
    var rails: String?

    @Option(help: "Name of the template.")
    var name = "accelerators"

    @Option(
        help:
            "pairs (Kubernetes 1.36), constraints (accelerators that this driver publishes) or vendor (accelerators that another driver publishes)."
    )
    var form: Form?

    @Option(help: "Device class of the accelerators for --form vendor: gpu.nvidia.com, gpu.amd.com, neuron.aws.com.")
    var vendorClass: String?

    @Option(help: "Version of resource.k8s.io: v1, v1beta2 or v1beta1.")
    var apiVersion: ResourceAPIVersion?

    @Flag(help: "Detect the capabilities of the cluster through kubectl.")
    var askCluster = false

    @Option(help: "Name of the driver.")
    var driver = "dra.nearside"

    @Option(name: .shortAndLong, help: "yaml or json.")
    var output = Output.yaml

    @OptionGroup var source: SourceOptions

    func run() throws {
        guard name == Limits.label(name) else { throw ValidationError("--name must be a DNS label such as training, not \"\(name)\"") }
        var claim = ClaimRequest()
        (claim.name, claim.driver, claim.accelerators, claim.together) = (name, driver, accelerators, together)
        let template: ClaimTemplate
        do throws(InputError) {
            if let rails { claim.rails = try ClaimRequest.rails(rails) }
        } catch { throw ValidationError("--rails: \(error)") }
        let capabilities = try capabilities()
        do throws(InputError) { template = try ClaimTemplate(claim, capabilities) } catch { throw Console.failure("\(error)") }
        switch output {
        case .yaml: Console.print(template.warnings.map { "# \($0)\n" }.joined() + (try YAMLOutput.text(template)))
        case .json: Console.print(try JSONOutput.text(template))
        }
    }

    private func capabilities() throws -> ClusterCapabilities {
        var capabilities = ClusterCapabilities()
        if askCluster {
            capabilities = try Kubectl.state(withClaims: false).capabilities(driver: driver)
            guard let version = try Kubectl.version() else {
                throw Console.failure("the cluster serves no supported version of resource.k8s.io: Kubernetes 1.34 or newer is needed")
            }
            capabilities.version = version
        }
        if let apiVersion { capabilities.version = apiVersion }
        switch form {
        case nil: break
        case .pairs: capabilities.form = .pairs
        case .constraints: capabilities.form = .constraints
        case .vendor: capabilities.form = .vendor(deviceClass: "gpu.nvidia.com", attribute: "resource.kubernetes.io/pcieRoot")
        }
        if let vendorClass {
            guard case .vendor(_, let attribute) = capabilities.form else { throw ValidationError("--vendor-class requires --form vendor") }
            capabilities.form = .vendor(deviceClass: vendorClass, attribute: attribute)
        }
        if source.machine != nil || source.hostRoot != nil { capabilities.inspect(try source.readTopology()) }
        return capabilities
    }
}

extension ClaimRequest.Together: ExpressibleByArgument {}
extension ResourceAPIVersion: ExpressibleByArgument {}
