// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Hardware
import Inspection
import Linux
import Primitives
import ResourceAPI
import SliceModel
import Testbed
import Testing
import Topology

/// `nearside claim` and `nearside cluster`.
struct ClusterTests {
    private func topology(_ name: String) throws -> MachineTopology {
        MachineTopology(try #require(try MachineDescription.embedded(name)).machine)
    }

    private func slices(_ machine: String, node: String, own: Set<String> = ["gpus"], lacking: Set<ClusterFeature> = []) throws
        -> [ResourceSlice]
    {
        let policy = PublishingPolicy(driver: "dra.nearside", owned: own)
        return SlicesDocument.list(try topology(machine), policy, node: node, lacking: lacking).items.enumerated().map { index, slice in
            var slice = slice
            slice.metadata.name = "\(node)-\(index)"
            return slice
        }
    }

    // MARK: Templates

    private func request(_ count: Int, _ together: ClaimRequest.Together = .preferred, rails: [Int] = []) -> ClaimRequest {
        var request = ClaimRequest()
        (request.accelerators, request.together, request.rails) = (count, together, rails)
        return request
    }

    private func capabilities(_ form: ClusterCapabilities.Form, _ machine: String? = nil) throws -> ClusterCapabilities {
        var capabilities = ClusterCapabilities()
        capabilities.form = form
        if let machine { capabilities.inspect(try topology(machine)) }
        return capabilities
    }

    /// The API's rules for a claim's devices and references.
    private func check(_ template: ClaimTemplate, _ comment: Comment) throws {
        let devices = try #require(template.document["spec"]?["spec"]?["devices"])
        guard case .array(let requests)? = devices["requests"] else { return }
        #expect((1...32).contains(requests.count), comment)
        var names: Set<String> = []
        func exact(_ fields: JSONValue, _ prefix: String) {
            guard case .string(let deviceClass)? = fields["deviceClassName"] else {
                Issue.record("no class in \(fields)")
                return
            }
            #expect(deviceClass.contains("."), comment)
            if case .integer(let count)? = fields["count"] {
                #expect(count > 1 && fields["allocationMode"] == .string("ExactCount"), comment)
            }
        }
        for request in requests {
            guard case .string(let name)? = request["name"] else { continue }
            #expect(name == Limits.label(name) && names.insert(name).inserted, comment)
            if case .array(let alternatives)? = request["firstAvailable"] {
                #expect((1...8).contains(alternatives.count), comment)
                for alternative in alternatives {
                    if case .string(let inner)? = alternative["name"] { names.insert("\(name)/\(inner)") }
                    exact(alternative, name)
                }
            } else {
                exact(request["exactly"] ?? request, name)
            }
        }
        if case .array(let constraints)? = devices["constraints"] {
            #expect((1...32).contains(constraints.count), comment)
            for constraint in constraints {
                guard case .array(let used)? = constraint["requests"], case .string(let attribute)? = constraint["matchAttribute"] else {
                    Issue.record("\(constraint)")
                    continue
                }
                #expect(Limits.problem(attribute, .bool(true)) == nil && attribute.contains("/"), comment)
                for case .string(let name) in used { #expect(names.contains(name), comment) }
            }
        }
    }

    @Test
    func `every request in every form is a valid template, or one clear error`() throws {
        let forms: [ClusterCapabilities.Form] = [
            .pairs, .constraints, .vendor(deviceClass: "gpu.nvidia.com", attribute: "resource.kubernetes.io/pcieRoot"),
            .vendor(deviceClass: "neuron.aws.com", attribute: "resource.kubernetes.io/pcieRoot"),
        ]
        for form in forms {
            for version in ResourceAPIVersion.allCases {
                for machine in [nil, "aws-p5", "aws-p4d", "hgx-a100", "azure-nd-a100-v4", "aws-trn2"] {
                    for together in ClaimRequest.Together.allCases {
                        for count in [1, 2, 3, 4, 7, 8, 16] {
                            for rails in [[], Array(0..<count)] {
                                var capabilities = try capabilities(form, machine)
                                capabilities.version = version
                                let comment: Comment = "\(form) \(machine ?? "-") \(together) \(count) \(rails)"
                                do throws(InputError) {
                                    let template = try ClaimTemplate(request(count, together, rails: rails), capabilities)
                                    #expect(template.document["apiVersion"] == .string(version.groupVersion))
                                    do { try check(template, comment) } catch { Issue.record(error) }
                                } catch { #expect(!error.description.isEmpty && !error.description.contains("\n"), comment) }
                            }
                        }
                    }
                }
            }
        }
    }

    @Test
    func `the forms request the right devices`() throws {
        func devices(_ template: ClaimTemplate) throws -> String {
            try JSONOutput.text(try #require(template.document["spec"]?["spec"]?["devices"]))
        }
        let pairs = try devices(try ClaimTemplate(request(4), try capabilities(.pairs)))
        #expect(pairs.contains("pairs-4.nearside") && pairs.contains("firstAvailable") && pairs.contains("\"count\" : 4"))
        let rails = try devices(try ClaimTemplate(request(4, .required, rails: [0, 1, 2, 3]), try capabilities(.pairs)))
        #expect(rails.contains("rail in [0, 1, 2, 3]") && rails.contains("resource.kubernetes.io/numaNode"))
        // p4d's pairs have two GPUs: four GPUs are two pairs.
        let p4d = try devices(try ClaimTemplate(request(4, .any), try capabilities(.pairs, "aws-p4d")))
        #expect(p4d.contains("\"count\" : 2"))
        let p5 = try devices(try ClaimTemplate(request(2, .required), try capabilities(.constraints, "aws-p5")))
        #expect(p5.contains("dra.nearside/pair") && p5.contains("dra.nearside/group2") && p5.contains("\"count\" : 4"))
        let trn2 = try devices(
            try ClaimTemplate(request(4), try capabilities(.vendor(deviceClass: "neuron.aws.com", attribute: ""), "aws-trn2")))
        #expect(trn2.contains("resource.aws.com/devicegroup4_id") && trn2.contains("efa.nearside"))
        // Without a PCI hierarchy the node decides.
        let azure = try capabilities(
            .vendor(deviceClass: "gpu.nvidia.com", attribute: "resource.kubernetes.io/pcieRoot"), "azure-nd-a100-v4")
        #expect(azure.form == .vendor(deviceClass: "gpu.nvidia.com", attribute: "resource.kubernetes.io/numaNode"))
        #expect(azure.warnings.contains { $0.contains("is arbitrary") })
    }

    @Test(arguments: [("0-3", [0, 1, 2, 3]), ("0,2,4-5", [0, 2, 4, 5]), ("7", [7])])
    func `lists of rails are parsed`(text: String, rails: [Int]) throws { #expect(try ClaimRequest.rails(text) == rails) }

    @Test(arguments: ["", "x", "3-1", "-1", "1-2-3", "0,", "99999999999999999999", "0-5000"])
    func `an invalid list of rails is refused`(text: String) {
        #expect(throws: InputError.self) { try ClaimRequest.rails(text) }
    }

    // MARK: The cluster

    private func claim(_ name: String, _ devices: [(driver: String, pool: String, device: String)], pod: String?) -> ResourceClaim {
        ResourceClaim(
            metadata: Metadata(name: name, namespace: "default", uid: name),
            status: ResourceClaimStatus(
                allocation: AllocationResult(
                    devices: DeviceAllocation(
                        results: devices.map { AllocatedDevice(request: "r", driver: $0.driver, pool: $0.pool, device: $0.device) })),
                reservedFor: pod.map { [ConsumerReference(resource: "pods", name: $0, uid: $0)] }))
    }

    private func state() throws -> ClusterState {
        var state = ClusterState()
        state.slices = try slices("hgx-a100", node: "n1") + slices("aws-p4d", node: "n2", own: []) + slices("hgx-a100", node: "n3")
        // The vendor's driver publishes the GPUs of the second node, with the vendor's attributes.
        let gpus = (0..<8).map { index in
            SliceDevice(
                name: "gpu-\(index)",
                attributes: [
                    "resource.kubernetes.io/pcieRoot": .string(["pci0000:10", "pci0000:20", "pci0000:90", "pci0000:a0"][index / 2])
                ])
        }
        state.slices.append(
            ResourceSlice(
                metadata: Metadata(name: "nvidia"),
                spec: ResourceSliceSpec(
                    driver: "gpu.nvidia.com", pool: ResourcePool(name: "n2", generation: 1, resourceSliceCount: 1), nodeName: "n2",
                    devices: gpus)))
        let ours = "dra.nearside"
        state.claims = [
            claim("pair", [(ours, "n1", "pair-0")], pod: "worker-0"), claim("set", [(ours, "n1", "pairs-4-1")], pod: "worker-1"),
            claim("crossed", [(ours, "n3", "pci-0000-07-00-0"), (ours, "n3", "pci-0000-cc-00-0")], pod: "worker-2"),
            claim("alone", [(ours, "n3", "pci-0000-0f-00-0")], pod: nil),
            claim("vendor", [("gpu.nvidia.com", "n2", "gpu-0"), (ours, "n2", "pci-0000-10-1b-0")], pod: "worker-3"),
            claim("unallocated", [], pod: nil), claim("elsewhere", [("other.driver", "n9", "x")], pod: nil),
        ]
        return state
    }

    @Test
    func `free pairs, owners of the others, and the alignment are shown`() throws {
        let document = ClusterDocument(try state(), driver: "dra.nearside")
        #expect(document.nodes.map(\.name) == ["n1", "n2", "n3"])
        let nodes = Dictionary(uniqueKeysWithValues: document.nodes.map { ($0.name, $0) })
        let first = try #require(nodes["n1"])
        #expect(first.pairs.count == 8 && first.free == ["pair-1", "pair-2", "pair-3"])
        #expect(first.claims.map(\.name) == ["default/pair", "default/set"])
        #expect(first.claims.map(\.aligned) == [1, 4] && first.claims.map(\.accelerators) == [1, 4])
        let third = try #require(nodes["n3"])
        #expect(third.claims.map(\.name) == ["default/alone", "default/crossed"])
        #expect(third.claims.map(\.aligned) == [nil, 0] && third.claims[1].pairs.count == 2)
        let second = try #require(nodes["n2"])
        #expect(second.claims.map(\.aligned) == [1] && second.free.count == 3)
        #expect(document.text.contains("20 pairs on 3 nodes, 11 free\n"), "\(document.text)")
        #expect(document.text.contains("6 of 7 accelerators with NICs have a near NIC\n"), "\(document.text)")
    }

    @Test
    func `an incomplete pool is skipped, and an invalid object hides no other`() throws {
        var state = try state()
        state.slices.removeAll { $0.metadata.name == "n1-0" }
        let document = ClusterDocument(state, driver: "dra.nearside")
        #expect(document.nodes.map(\.name) == ["n2", "n3"])
        #expect(document.remarks.contains { $0.hasPrefix("pool n1 of dra.nearside is being written") })
        let list =
            #"{"items": [{"metadata": {"name": "odd"}, "spec": 5}, {"metadata": {"name": "lists"}, "spec": {"driver": "d", "nodeName": "n", "pool": {"name": "n", "generation": 1, "resourceSliceCount": 1}, "devices": [{"name": "x", "attributes": {"a": {"strings": ["b"]}}}]}}]}"#
        let read = try ClusterState(slices: Array(list.utf8), claims: Array(#"{"items": []}"#.utf8))
        #expect(read.slices.count == 1 && read.warnings == ["odd of the ResourceSlices cannot be decoded; it is skipped"])
        #expect(throws: InputError.self) { try ClusterState(slices: Array("oops".utf8), claims: []) }
    }

    @Test
    func `the capabilities of a cluster determine the form of a claim`() throws {
        var state = ClusterState()
        #expect(state.capabilities(driver: "dra.nearside").warnings.count == 1)
        state.slices = try slices("aws-p5", node: "n1")
        #expect(state.capabilities(driver: "dra.nearside").form == .pairs && state.capabilities(driver: "dra.nearside").nicsPerPair == 4)
        state.slices = try slices("aws-p4d", node: "n1", lacking: [.counters])
        let constrained = state.capabilities(driver: "dra.nearside")
        #expect(constrained.form == .constraints && constrained.acceleratorsPerPair == 2 && constrained.nicsPerPair == 1)
        state = try self.state()
        state.slices.removeAll { $0.spec.pool.name != "n2" }
        guard case .vendor(let deviceClass, _) = state.capabilities(driver: "dra.nearside").form else {
            Issue.record("not the vendor's form")
            return
        }
        #expect(deviceClass == "gpu.nvidia.com")
    }

    // MARK: The programs

    /// Runs `nearside` with a script instead of kubectl.
    private func run(_ arguments: [String], kubectl: String) throws -> (status: Int32, output: String) {
        let scratch = try ScratchFolder("kc")
        let state = try state()
        let lists: [(String, [UInt8])] = [
            ("slices.json", Array(try JSONOutput.text(ObjectList(items: state.slices)).utf8)),
            ("claims.json", Array(try JSONOutput.text(["items": state.claims]).utf8)),
        ]
        for (name, bytes) in lists { try Files.write(scratch(name), bytes) }
        try Files.write(scratch("kubectl"), "#!/bin/sh\ncd \(scratch.path)\n\(kubectl)\n")
        _ = try ChildProcess.run("/bin/chmod", ["+x", scratch("kubectl")])
        let words = ([Place.programs + "/nearside"] + arguments).map { "'\($0)'" }.joined(separator: " ")
        let ended = try ChildProcess.run("/bin/sh", ["-c", "PATH=\(scratch.path):$PATH \(words)"])
        return (ended.status, ended.output)
    }

    private static let good = """
        case "$2" in
          resourceslices*) cat slices.json;;
          resourceclaims*) cat claims.json;;
          *) echo apps/v1; echo resource.k8s.io/v1beta2;;
        esac
        """

    @Test
    func `the cluster is read through kubectl, and status 2 reports a claim that is not aligned`() throws {
        let ended = try run(["cluster"], kubectl: Self.good)
        #expect(ended.status == 2)
        #expect(ended.output.contains("default/crossed"), "\(ended.output)")
        let json = try run(["cluster", "-o", "json"], kubectl: Self.good)
        #expect(try JSONDecoder().decode(ClusterDocument.self, from: Data(json.output.utf8)).nodes.count == 3)
        let claim = try run(["claim", "4", "--ask-cluster"], kubectl: Self.good)
        #expect(
            claim.status == 0 && claim.output.contains("apiVersion: \"resource.k8s.io/v1beta2\"")
                && claim.output.contains("pairs-4.nearside"), "\(claim.output)")
    }

    @Test
    func `a failure or invalid output of kubectl gives one line and status 1`() throws {
        let failed = try run(["cluster"], kubectl: "echo 'no such cluster' >&2; exit 3")
        #expect(failed.status == 1)
        #expect(
            failed.output.contains(
                "nearside: kubectl get resourceslices.resource.k8s.io -o json exited with status 3; its message is above"),
            "\(failed.output)")
        let nonsense = try run(["cluster"], kubectl: "echo hello")
        #expect(
            nonsense.status == 1
                && nonsense.output == "nearside: kubectl: list of ResourceSlices: not JSON: byte 0: an object is expected\n",
            "\(nonsense.output)")
    }
}
