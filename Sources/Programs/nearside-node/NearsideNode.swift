// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClaimConfig
import Discovery
import Glibc
import KubeletPlugin
import Kubernetes
import Linux
import Logging
import NetworkModel
import Node
import ResourceAPI
import SliceModel
import Topology

@main
struct NearsideNode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nearside-node",
        abstract: "Publishes the devices of this node and prepares claims, as a DRA plugin of the kubelet.",
        discussion: """
            Needs no capability. Example, in a pod: nearside-node --node-name $NODE_NAME
            """)

    @Option(help: "Name of this node in the cluster.")
    var nodeName: String?

    @Option(
        help:
            "Ask the instance that runs, and print the answer: alive (it answers), or ready (registered with the kubelet, nearside-nri synchronised, slices accepted). With --journal and --pod-uid, or POD_UID in the environment."
    )
    var check: String?

    @Option(help: "Name of the driver.")
    var driver = "dra.nearside"

    @Option(help: "Accelerators this driver owns, with commas: gpus, neurons, gaudis, tpus. None: their vendors' drivers do.")
    var own = ""

    @Option(help: "Prefixes of virtual interfaces that pods may be given, with commas.")
    var virtualNics = ""

    @Option(help: "A topology policy: roles of NICs and hints (api/topology-policy.schema.json).")
    var topologyPolicy: String?

    @Option(help: "NICs of the fabric, such as id=15b3:101e or interface=ib*; may be repeated.")
    var fabric: [String] = []

    @Option(help: "A NCCL topology file that tells what the hypervisor hides.")
    var topologyHint: String?

    @Option(
        help:
            "Changes to what trouble does to claims: link-down, no-driver, no-interface, lost and narrow-link = NoSchedule, NoExecute, None or off."
    )
    var taint = ""

    @Option(help: "How many claims may have an RDMA NIC without an interface (EFA) at a time.")
    var shareNics: Int?

    @Option(
        help: "Privileged settings that claims may have, and not only device classes, with commas: see nearside validate --explain.")
    var allowClaims = ""

    @Flag(help: "Give containers a file for each request that tells of its devices (KEP-5304, v1alpha1).")
    var deviceMetadata = false

    @Option(
        help:
            "Evict pods that the runtime started without their devices: never, failed (those that cannot be given them now) or late (all).")
    var evict = "never"

    @Option(
        help:
            "After how many seconds prepared claims that do not exist any more are released, where the kubelet does not do it; 0 is never.")
    var releaseOrphansAfter = 900

    @Option(help: "Addresses of this node, with commas: their interfaces are never given away.")
    var nodeAddresses = ""

    @Option(help: "Where the host's file system is mounted.")
    var hostRoot = "/"

    @Option(help: "The folder of this program, which nearside-nri reads.")
    var journal = "/run/nearside"

    @Option(help: "The folder of nearside-nri, which is only read.")
    var states = "/run/nearside-nri"

    @Option(help: "The kubelet's folder.")
    var kubeletRoot = "/var/lib/kubelet"

    @Option(help: "URL of the API server; in a pod it is found by itself.")
    var apiServer: String?

    @Option(help: "A kubeconfig as JSON (kubectl config view --raw --minify --flatten -o json), outside of a cluster.")
    var kubeconfig: String?

    @Option(help: "UID of this pod: with it, the next pod of a rolling update serves before this one ends.")
    var podUid: String?

    @Option(help: "Where metrics are served, or off.")
    var metrics = "127.0.0.1:9178"

    @Option(help: "File with a bearer token for --api-server.")
    var tokenFile: String?

    @Option(help: "File with the certificates that --api-server's is checked against.")
    var caFile: String?

    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel = "info"

    func validate() throws {
        if let check {
            guard NodeCheck.levels.contains(check) else { throw ValidationError("--check is alive or ready, not \"\(check)\"") }
            return
        }
        guard nodeName?.isEmpty == false else { throw ValidationError("--node-name is missing") }
        guard Limits.isDriverName(driver) else {
            throw ValidationError("--driver is a DNS name of at most 63 bytes such as dra.nearside, not \"\(driver)\"")
        }
        guard Logger.Level(rawValue: logLevel) != nil else {
            throw ValidationError("--log-level does not know \"\(logLevel)\"")
        }
        guard EvictionPolicy(rawValue: evict) != nil else {
            throw ValidationError("--evict is never, failed or late, not \"\(evict)\"")
        }
        _ = try ownedFamilies(own)
        _ = try readTopologyPolicy()
        _ = try taints()
        _ = try allowedToClaims()
        _ = try metricsAddress()
        _ = try list(nodeAddresses).map(address)
        guard (0...604_800).contains(releaseOrphansAfter) else { throw ValidationError("--release-orphans-after goes from 0 to 604800") }
        if let shareNics, !(2...1000).contains(shareNics) { throw ValidationError("--share-nics goes from 2 to 1000") }
        if kubeconfig != nil, apiServer != nil { throw ValidationError("--kubeconfig and --api-server exclude each other") }
        if let podUid, podUid.isEmpty || podUid.contains(where: { !$0.isASCII || !($0.isLetter || $0.isNumber || $0 == "-") }) {
            throw ValidationError("--pod-uid is metadata.uid of the pod, not \"\(podUid)\"")
        }
    }

    private func taints() throws -> TaintPolicy {
        do throws(TaintPolicy.Malformed) { return try TaintPolicy(parsing: taint) } catch { throw ValidationError("--taint: \(error)") }
    }

    private func allowedToClaims() throws -> Set<String> {
        do throws(PrivilegedSetting.Unknown) { return try PrivilegedSetting.allowed(allowClaims) } catch {
            throw ValidationError("--allow-claims: \(error)")
        }
    }

    private func metricsAddress() throws -> MetricsAddress? {
        if metrics == "off" { return nil }
        guard let address = MetricsAddress(parsing: metrics) else {
            throw ValidationError("--metrics is an address and a port such as 127.0.0.1:9178, or off; not \"\(metrics)\"")
        }
        return address
    }

    private func address(_ text: String) throws -> IPAddress {
        guard let address = IPAddress(parsing: text) else { throw ValidationError("--node-addresses: \"\(text)\" is no IP address") }
        return address
    }

    private func endpoint() throws -> APIEndpoint {
        if let kubeconfig {
            do { return try Kubeconfig.endpoint(try Files.read(kubeconfig), name: kubeconfig) } catch { throw ValidationError("\(error)") }
        }
        if let apiServer { return APIEndpoint(url: apiServer, tokenFile: tokenFile, caFile: caFile) }
        if let found = APIEndpoint.inCluster(environment()) { return found }
        throw ValidationError("this is no pod; say where the API server is with --kubeconfig or --api-server")
    }

    private func readTopologyPolicy() throws -> TopologyPolicy {
        do throws(PolicyFile.Unusable) { return try PolicyFile.policy(file: topologyPolicy, fabric: fabric, hint: topologyHint) } catch {
            throw ValidationError("\(error)")
        }
    }

    func run() async throws {
        if let check { return try answer(check) }
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
    }

    private func answer(_ check: String) throws {
        let pod = podUid ?? environment()["POD_UID"]
        if let problem = NodeCheck.problem(check, journal: journal, podUID: pod) {
            print("not \(check): \(problem)")
            throw ExitCode.failure
        }
        print(check)
    }

    private func environment() -> [String: String] {
        var values: [String: String] = [:]
        for name in ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "POD_UID"] {
            if let value = getenv(name) { values[name] = String(cString: value) }
        }
        return values
    }
}

func list(_ text: String) -> [String] { text.split(separator: ",").map(String.init) }

func ownedFamilies(_ text: String) throws -> Set<String> {
    do throws(PublishingPolicy.UnknownFamily) { return try PublishingPolicy.owned(text) } catch {
        throw ValidationError("--own: \(error)")
    }
}
