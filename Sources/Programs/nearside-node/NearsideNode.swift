// SPDX-License-Identifier: Apache-2.0

import CommandOptions
import ClaimConfig
import Discovery
import Glibc
import KubeletPlugin
import Kubernetes
import Linux
import Logging
import NetworkModel
import Node
import Primitives
import ResourceAPI
import SliceModel
import Topology

@main
struct NearsideNode {
    var nodeName: String?
    var check: String?
    var driver = "dra.nearside"
    var own = ""
    var virtualNics = ""
    var topologyPolicy: String?
    var fabric: [String] = []
    var topologyHint: String?
    var taint = ""
    var shareNics: Int?
    var allowClaims = ""
    var deviceMetadata = false
    var evict = "never"
    var releaseOrphansAfter = 900
    var nodeAddresses = ""
    var hostRoot = "/"
    var journal = "/run/nearside"
    var states = "/run/nearside-nri"
    var kubeletRoot = "/var/lib/kubelet"
    var apiServer: String?
    var kubeconfig: String?
    var podUid: String?
    var metrics = "127.0.0.1:9178"
    var tokenFile: String?
    var caFile: String?
    var logLevel = "info"

    static var options: CommandOptions<Self> {
        CommandOptions(
            program: "nearside-node",
            abstract: "Publishes the devices of this node and prepares claims, as a DRA plugin of the kubelet.",
            discussion: """
                Needs no capability. Example, in a pod: nearside-node --node-name $NODE_NAME
                """,
            options: [
                .init("node-name", \.nodeName, "Name of this node in the cluster."),
                .init(
                    "check", \.check,
                    "Query the running instance, and print the answer: alive (it answers), or ready (registered with the kubelet, nearside-nri synchronised, slices accepted). Finds the instance by --journal and --pod-uid, or POD_UID in the environment."
                ),
                .init("driver", \.driver, "Name of the driver."),
                .init(
                    "own", \.own,
                    "Accelerators that this driver owns, separated by commas: gpus, neurons, gaudis, tpus. Default: none; the vendors' drivers publish them."
                ),
                .init("virtual-nics", \.virtualNics, "Prefixes of virtual interfaces that pods may have, separated by commas."),
                .init(
                    "topology-policy", \.topologyPolicy,
                    "File with a topology policy: roles of NICs, and hints (api/topology-policy.schema.json)."),
                .init("fabric", \.fabric, "NICs of the fabric, such as id=15b3:101e or interface=ib*; may be repeated."),
                .init("topology-hint", \.topologyHint, "NCCL topology file with the PCI hierarchy that the hypervisor hides."),
                .init(
                    "taint", \.taint,
                    "Taint effects of device conditions: link-down, no-driver, no-interface, lost and narrow-link = NoSchedule, NoExecute, None or off."
                ),
                .init("share-nics", \.shareNics, "Number of claims that can share an RDMA NIC without an interface (EFA)."),
                .init(
                    "allow-claims", \.allowClaims,
                    "Privileged settings that claims may have, not only device classes; separated by commas. nearside validate --explain lists them."
                ),
                .init(
                    flag: "device-metadata", \.deviceMetadata,
                    "For each request, mount a file into containers that describes its devices (KEP-5304, v1alpha1)."),
                .init(
                    "evict", \.evict,
                    "Evict pods that the runtime started without their devices: never, failed (pods whose devices cannot be attached later) or late (all such pods)."
                ),
                .init(
                    "release-orphans-after", \.releaseOrphansAfter,
                    "Seconds after which claims that no longer exist are released if the kubelet does not unprepare them; 0 means never."
                ),
                .init(
                    "node-addresses", \.nodeAddresses, "Addresses of this node, separated by commas: their interfaces are never published."),
                .init("host-root", \.hostRoot, "Mount point of the host's file system."),
                .init("journal", \.journal, "Folder for the plans of this program, which nearside-nri reads."),
                .init("states", \.states, "Folder with the states of nearside-nri, which this program only reads."),
                .init("kubelet-root", \.kubeletRoot, "The kubelet's folder."),
                .init("api-server", \.apiServer, "URL of the API server; in a pod, the default is the cluster's own."),
                .init(
                    "kubeconfig", \.kubeconfig,
                    "Kubeconfig as JSON (kubectl config view --raw --minify --flatten -o json), for a node outside of pods."),
                .init("pod-uid", \.podUid, "UID of this pod. It allows the new pod of a rolling update to serve before the old one exits."),
                .init("metrics", \.metrics, "Address and port of the metrics, or off."),
                .init("token-file", \.tokenFile, "File with a bearer token for --api-server."),
                .init("ca-file", \.caFile, "File with the CA certificates for --api-server."),
                .init("log-level", \.logLevel, "Log level: trace, debug, info, notice, warning, error or critical."),
            ])
    }

    func validate() throws {
        if let check {
            guard NodeCheck.levels.contains(check) else { throw UsageError("--check must be alive or ready, not \"\(check)\"") }
            return
        }
        guard nodeName?.isEmpty == false else { throw UsageError("--node-name is missing") }
        guard Limits.isDriverName(driver) else {
            throw UsageError("--driver must be a DNS name of at most 63 bytes such as dra.nearside, not \"\(driver)\"")
        }
        guard Logger.Level(rawValue: logLevel) != nil else {
            throw UsageError("--log-level: \"\(logLevel)\" is not a level")
        }
        guard EvictionPolicy(rawValue: evict) != nil else {
            throw UsageError("--evict must be never, failed or late, not \"\(evict)\"")
        }
        _ = try ownedFamilies(own)
        _ = try readTopologyPolicy()
        _ = try taints()
        _ = try allowedToClaims()
        _ = try metricsAddress()
        _ = try list(nodeAddresses).map(address)
        guard (0...604_800).contains(releaseOrphansAfter) else { throw UsageError("--release-orphans-after must be 0 to 604800") }
        if let shareNics, !(2...1000).contains(shareNics) { throw UsageError("--share-nics must be 2 to 1000") }
        if kubeconfig != nil, apiServer != nil { throw UsageError("--kubeconfig and --api-server exclude each other") }
        if let podUid, podUid.isEmpty || !podUid.utf8.allSatisfy({ $0.isASCIIAlphanumeric || $0 == UInt8(ascii: "-") }) {
            throw UsageError("--pod-uid must be metadata.uid of the pod, not \"\(podUid)\"")
        }
    }

    private func taints() throws -> TaintPolicy {
        do throws(InputError) { return try TaintPolicy(parsing: taint) } catch { throw UsageError("--taint: \(error)") }
    }

    private func allowedToClaims() throws -> Set<String> {
        do throws(InputError) { return try PrivilegedSetting.allowed(allowClaims) } catch {
            throw UsageError("--allow-claims: \(error)")
        }
    }

    private func metricsAddress() throws -> MetricsAddress? {
        if metrics == "off" { return nil }
        guard let address = MetricsAddress(parsing: metrics) else {
            throw UsageError("--metrics must be an address and a port such as 127.0.0.1:9178, or off; not \"\(metrics)\"")
        }
        return address
    }

    private func address(_ text: String) throws -> IPAddress {
        guard let address = IPAddress(parsing: text) else { throw UsageError("--node-addresses: \"\(text)\" is not an IP address") }
        return address
    }

    private func endpoint() throws -> APIEndpoint {
        if let kubeconfig {
            do { return try Kubeconfig.endpoint(try Files.read(kubeconfig), name: kubeconfig) } catch { throw UsageError("\(error)") }
        }
        if let apiServer { return APIEndpoint(url: apiServer, tokenFile: tokenFile, caFile: caFile) }
        if let found = APIEndpoint.inCluster(environment()) { return found }
        throw UsageError("no API server: this program does not run in a pod; set --kubeconfig or --api-server")
    }

    private func readTopologyPolicy() throws -> TopologyPolicy {
        do throws(InputError) { return try PolicyFile.policy(file: topologyPolicy, fabric: fabric, hint: topologyHint) } catch {
            throw UsageError("\(error)")
        }
    }

    func run() async throws -> Int32 {
        if let check { return answer(check) }
        var log = Logger(label: "nearside-node", factory: { StreamLogHandler.standardError(label: $0) })
        log.logLevel = Logger.Level(rawValue: logLevel) ?? .info
        signal(SIGPIPE, SIG_IGN)
        let policy = PublishingPolicy(
            driver: driver, owned: try ownedFamilies(own), virtualNICs: list(virtualNics), taints: try taints(), shares: shareNics)
        var options = NodeDaemon.Options(
            node: nodeName ?? "", policy: policy, topologyPolicy: try readTopologyPolicy(), endpoint: try endpoint(),
            discovery: Discovery(
                root: .live(at: hostRoot), destinations: HostDestinations(nodeAddresses: try list(nodeAddresses).map(address))),
            journal: journal, states: states,
            kubelet: .init(
                driver: driver, registry: "\(kubeletRoot)/plugins_registry", data: "\(kubeletRoot)/plugins/\(driver)",
                podUID: podUid),
            metrics: try metricsAddress())
        options.claims.tellsDevices = deviceMetadata
        options.claims.allowedToClaims = try allowedToClaims()
        options.claims.orphansAfter = releaseOrphansAfter == 0 ? nil : .seconds(releaseOrphansAfter)
        options.claims.eviction = EvictionPolicy(rawValue: evict) ?? .never
        try await NodeDaemon(options, log: log).run()
        return EXIT_SUCCESS
    }

    private func answer(_ check: String) -> Int32 {
        let pod = podUid ?? environment()["POD_UID"]
        if let problem = NodeCheck.problem(check, journal: journal, podUID: pod) {
            print("not \(check): \(problem)")
            return EXIT_FAILURE
        }
        print(check)
        return EXIT_SUCCESS
    }

    private func environment() -> [String: String] {
        var values: [String: String] = [:]
        for name in ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "POD_UID"] {
            values[name] = Environment.value(name)
        }
        return values
    }
}

func list(_ text: String) -> [String] { text.split(separator: ",").map(String.init) }

func ownedFamilies(_ text: String) throws -> Set<String> {
    do throws(InputError) { return try PublishingPolicy.owned(text) } catch {
        throw UsageError("--own: \(error)")
    }
}

extension NearsideNode {
    static func main() async {
        do {
            guard let command = try options.parse(CommandLine.arguments.dropFirst(), into: NearsideNode()) else {
                print(options.help(NearsideNode()), terminator: "")
                exit(EXIT_SUCCESS)
            }
            try command.validate()
            exit(try await command.run())
        } catch let error as UsageError {
            StandardStream.error.write(error.text(program: options.program))
            exit(UsageError.exitStatus)
        } catch {
            StandardStream.error.write("Error: \(error)\n")
            exit(EXIT_FAILURE)
        }
    }
}
