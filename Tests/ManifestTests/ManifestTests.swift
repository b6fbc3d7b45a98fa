// SPDX-License-Identifier: Apache-2.0

import ClaimConfig
import Foundation
import ResourceAPI
import Testbed
import Testing
import Yams

/// Privileges in the manifests, and their agreement with the programs.
struct ManifestTests {
    typealias Object = [String: Any]

    private func objects(_ name: String) throws -> [Object] {
        let text = try String(contentsOfFile: "\(Place.project)/manifests/\(name)", encoding: .utf8)
        return try Yams.load_all(yaml: text).compactMap { $0 as? Object }
    }

    private func at(_ object: Any?, _ path: String) -> Any? {
        path.split(separator: ".").reduce(object) { value, key in
            if let index = Int(key) { return (value as? [Any]).flatMap { $0.indices.contains(index) ? $0[index] : nil } }
            return (value as? Object)?[String(key)]
        }
    }

    private func pod() throws -> Object {
        try #require(at(try objects("daemonset.yaml").first, "spec.template.spec") as? Object)
    }

    /// Containers by name, in the order in which they start.
    private static let all = ["gate", "node", "nri"]

    private func container(_ name: String) throws -> Object {
        let pod = try pod()
        let containers = ((pod["initContainers"] as? [Object]) ?? []) + ((pod["containers"] as? [Object]) ?? [])
        return try #require(containers.first { $0["name"] as? String == name })
    }

    private func mounts(_ name: String) throws -> [Object] { (try container(name)["volumeMounts"] as? [Object]) ?? [] }

    /// Volumes that a container can write to.
    private func written(_ name: String) throws -> [String] {
        try mounts(name).filter { $0["readOnly"] as? Bool != true }.compactMap { $0["name"] as? String }
    }

    @Test
    func `no container is privileged or shares the host's processes`() throws {
        let pod = try pod()
        for key in ["hostPID", "hostIPC"] { #expect(pod[key] == nil) }
        #expect(pod["automountServiceAccountToken"] as? Bool == false)
        #expect((pod["initContainers"] as? [Object])?.count == 1 && (pod["containers"] as? [Object])?.count == 2)
        for name in Self.all {
            let security = try #require(container(name)["securityContext"] as? Object)
            #expect(security["privileged"] == nil)
            #expect(security["allowPrivilegeEscalation"] as? Bool == false)
            #expect(security["readOnlyRootFilesystem"] as? Bool == true)
            #expect(at(security, "seccompProfile.type") as? String == "RuntimeDefault")
            #expect(at(security, "capabilities.drop") as? [String] == ["ALL"])
        }
    }

    @Test
    func `the container with the token has no capabilities, and the container with capabilities has no token`() throws {
        func names(_ name: String) throws -> [String] { try mounts(name).compactMap { $0["name"] as? String } }
        for name in ["gate", "node"] { #expect(at(try container(name), "securityContext.capabilities.add") == nil) }
        #expect(at(try container("nri"), "securityContext.capabilities.add") as? [String] == ["NET_ADMIN", "SYS_ADMIN"])
        for name in Self.all { #expect(try names(name).contains("token") == (name == "node")) }
        for volume in ["nri", "netns", "sysctls"] { #expect(try !names("node").contains(volume)) }
    }

    @Test
    func `each file that the container runtime runs or reads has one writer, and no folder has two writers`() throws {
        #expect(try written("gate") == ["gate"])
        for name in ["node", "nri"] { #expect(try !mounts(name).contains { $0["name"] as? String == "gate" }) }
        #expect(try written("nri").contains("cdi"))
        #expect(try !written("node").contains("cdi") && !written("node").contains("static-cdi"))
        // The daemons share the journal, and each of its two folders has one writer.
        #expect(try written("node").contains("journal") && written("nri").contains("states"))
        #expect(Set(try written("node")).isDisjoint(with: try written("nri")))
        #expect(try written("nri") == ["states", "cdi", "sysctls"])
        #expect(try written("node") == ["journal", "registry", "plugin"])
    }

    @Test
    func `network namespaces created after the start are visible`() throws {
        let mount = try #require((container("nri")["volumeMounts"] as? [Object])?.first { $0["name"] as? String == "netns" })
        #expect(mount["mountPropagation"] as? String == "HostToContainer")
    }

    @Test
    func `every mounted volume is defined`() throws {
        let volumes = Set(((try pod()["volumes"] as? [Object]) ?? []).compactMap { $0["name"] as? String })
        for name in Self.all {
            for mount in try mounts(name) {
                #expect(volumes.contains(try #require(mount["name"] as? String)))
            }
        }
    }

    @Test(arguments: all)
    func `the programs accept the arguments of the manifest`(name: String) throws {
        let container = try container(name)
        let program = try #require((container["command"] as? [String])?.first)
        // Only the appended argument of the command is invalid.
        let arguments = ((container["args"] as? [String]) ?? []) + ["--log-level=nonsense"]
        let result = try ChildProcess.run("\(Place.programs)/\(program)", arguments)
        #expect(result.status == 64)
        #expect(result.output.hasPrefix("Error: --log-level: \"nonsense\" is not a level"), "\(result.output)")
    }

    @Test(arguments: ["node", "nri"])
    func `probes of each daemon use its own socket`(name: String) throws {
        let container = try container(name)
        for (probe, level) in [("livenessProbe", "alive"), ("readinessProbe", "ready")] {
            let command = at(container, "\(probe).exec.command") as? [String]
            #expect(command == ["nearside-\(name)", "--check=\(level)"])
            #expect((at(container, "\(probe).timeoutSeconds") as? Int ?? 0) >= 5)
        }
    }

    @Test
    func `the role has only the rights that the daemon uses`() throws {
        let role = try #require(try objects("rbac.yaml").first { $0["kind"] as? String == "ClusterRole" })
        let rules = (role["rules"] as? [Object]) ?? []
        for rule in rules {
            for key in ["apiGroups", "resources", "verbs"] { #expect((rule[key] as? [String])?.contains("*") == false) }
        }
        let rights = rules.flatMap { rule in
            ((rule["resources"] as? [String]) ?? []).map { "\($0): \(((rule["verbs"] as? [String]) ?? []).joined(separator: " "))" }
        }
        #expect(
            rights == [
                "resourceclaims: get", "resourceclaims/status: patch", "resourceclaims/driver: associated-node:patch",
                "resourceslices: list watch create update delete", "nodes: get", "events: create",
            ])
    }

    @Test(arguments: [("eviction", "pods/eviction: create"), ("pod-groups", "pods: get")])
    func `a right that most clusters do not need is in a separate manifest`(name: String, right: String) throws {
        let documents = try objects("optional/\(name).yaml")
        let rules = (documents.first?["rules"] as? [Object]) ?? []
        let rights = rules.map { rule in
            "\((rule["resources"] as? [String] ?? []).joined(separator: " ")): \((rule["verbs"] as? [String] ?? []).joined(separator: " "))"
        }
        #expect(rights == [right])
        #expect(documents.map { at($0, "metadata.name") as? String } == ["nearside-\(name)", "nearside-\(name)"])
        #expect(at(documents.last, "subjects.0.name") as? String == "nearside")
    }

    /// The form of the policies; hack/check-policies evaluates the expressions.
    @Test(arguments: [
        ("nearside-own-slices", ["CREATE", "UPDATE", "DELETE"], "resourceslices"),
        ("nearside-own-device-status", ["UPDATE"], "resourceclaims/status"),
    ])
    func `a policy fails closed, is bound, and covers every write of the token`(name: String, operations: [String], resource: String) throws
    {
        let documents = try objects("node-restriction.yaml")
        let policy = try #require(
            documents.first { $0["kind"] as? String == "ValidatingAdmissionPolicy" && at($0, "metadata.name") as? String == name })
        #expect(at(policy, "spec.failurePolicy") as? String == "Fail")
        #expect(at(policy, "spec.matchConstraints.resourceRules.0.operations") as? [String] == operations)
        #expect(at(policy, "spec.matchConstraints.resourceRules.0.resources") as? [String] == [resource])
        #expect(at(policy, "spec.matchConstraints.resourceRules.0.apiVersions") as? [String] == ["*"])
        let binding = documents.first {
            $0["kind"] as? String == "ValidatingAdmissionPolicyBinding" && at($0, "spec.policyName") as? String == name
        }
        #expect(at(binding, "spec.validationActions") as? [String] == ["Deny"])
        let account = try #require(try objects("rbac.yaml").first { $0["kind"] as? String == "ServiceAccount" })
        let user = "system:serviceaccount:\(at(account, "metadata.namespace") ?? ""):\(at(account, "metadata.name") ?? "")"
        #expect((at(policy, "spec.matchConditions.0.expression") as? String)?.hasSuffix("\"\(user)\"") == true)
    }

    @Test
    func `the roll-out of a broken version stops, and a pod on a node that is not ready stays`() throws {
        let set = try #require(try objects("daemonset.yaml").first)
        #expect(at(set, "spec.minReadySeconds") as? Int == 30)
        #expect(at(set, "spec.updateStrategy.rollingUpdate.maxUnavailable") as? Int == 0)
        let tolerations = (try pod()["tolerations"] as? [Object]) ?? []
        #expect(tolerations.compactMap { $0["effect"] as? String } == ["NoSchedule", "NoExecute"])
        let quota = try #require(try objects("rbac.yaml").first { $0["kind"] as? String == "ResourceQuota" })
        #expect(at(quota, "metadata.namespace") as? String == at(set, "metadata.namespace") as? String)
        let classes = at(quota, "spec.scopeSelector.matchExpressions.0.values") as? [String]
        #expect(classes == [try pod()["priorityClassName"] as? String ?? ""])
        let namespace = try #require(try objects("rbac.yaml").first { $0["kind"] as? String == "Namespace" })
        #expect((at(namespace, "metadata.labels") as? Object)?["pod-security.kubernetes.io/enforce"] as? String == "privileged")
    }

    /// Calls that a profile allows with any arguments, and the values of an argument for which it allows others.
    private func profile(_ name: String) throws -> (free: [String], bound: [String: [Int]]) {
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(Place.project)/manifests/seccomp/\(name).json"))
        let profile = try #require(try JSONSerialization.jsonObject(with: data) as? Object)
        #expect(profile["defaultAction"] as? String == "SCMP_ACT_ERRNO")
        var (free, bound): ([String], [String: [Int]]) = ([], [:])
        for rule in try #require(profile["syscalls"] as? [Object]) {
            let names = try #require(rule["names"] as? [String])
            guard rule["action"] as? String == "SCMP_ACT_ALLOW" else {
                // A filter cannot read the flags of clone3, so that it fails with ENOSYS.
                #expect(names == ["clone3"] && rule["errnoRet"] as? Int == 38)
                continue
            }
            guard let condition = (rule["args"] as? [Object])?.first else {
                free += names
                continue
            }
            #expect((rule["args"] as? [Object])?.count == 1)
            let isMask = condition["op"] as? String == "SCMP_CMP_MASKED_EQ"
            #expect(isMask || condition["op"] as? String == "SCMP_CMP_EQ")
            #expect(isMask == (names == ["clone"]) && condition["index"] as? Int == (names == ["setns"] ? 1 : 0))
            for name in names { bound[name, default: []].append(try #require(condition["value"] as? Int)) }
        }
        // clone creates no namespaces (sched.h, CLONE_NEW...).
        #expect(bound.removeValue(forKey: "clone") == [0x7e02_0000])
        #expect(Set(free).isDisjoint(with: bound.keys) && free == Set(free).sorted())
        return (free, bound)
    }

    @Test
    func `a seccomp profile denies calls that would give control of the host, and each container has a profile`() throws {
        let never = [
            "mount", "umount2", "move_mount", "open_tree", "pivot_root", "chroot", "unshare", "setns", "bpf", "socket", "ptrace",
            "process_vm_readv", "process_vm_writev", "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load",
            "reboot", "keyctl", "add_key", "request_key", "open_by_handle_at", "perf_event_open", "userfaultfd", "io_uring_setup",
            "mknod", "mknodat", "quotactl", "swapon", "iopl", "ioperm", "clone", "clone3",
        ]
        for name in Self.all { #expect(Set(try profile("nearside-\(name)").free).isDisjoint(with: never)) }
        // Address families: AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, and AF_PACKET for DHCP (sys/socket.h).
        let families = [1, 2, 10, 16]
        // CLONE_NEWNET (sched.h).
        let network = [0x4000_0000]
        // Commands that list and detach programs (linux/bpf.h): BPF_PROG_DETACH, BPF_PROG_GET_FD_BY_ID, BPF_OBJ_GET_INFO_BY_FD,
        // BPF_PROG_QUERY, BPF_LINK_GET_FD_BY_ID, BPF_LINK_GET_NEXT_ID, BPF_LINK_DETACH.
        let commands = [9, 13, 15, 16, 30, 31, 34]
        #expect(
            try profile("nearside-nri").bound == ["socket": families + [17], "setns": network, "unshare": network, "bpf": commands])
        #expect(try profile("nearside-node").bound == ["socket": families])
        #expect(try profile("nearside-gate").bound.isEmpty)
        for name in ["fsmount", "setresuid"] {
            #expect(try profile("nearside-nri").free.contains(name))
            #expect(try !profile("nearside-node").free.contains(name) && !profile("nearside-gate").free.contains(name))
        }
        let patch = try #require(at(try objects("seccomp/patch.yaml").first, "spec.template.spec") as? Object)
        let containers = ((patch["initContainers"] as? [Object]) ?? []) + ((patch["containers"] as? [Object]) ?? [])
        #expect(containers.compactMap { $0["name"] as? String } == Self.all)
        for entry in containers {
            #expect(at(entry, "securityContext.seccompProfile.type") as? String == "Localhost")
            let name = entry["name"] as? String ?? ""
            #expect(at(entry, "securityContext.seccompProfile.localhostProfile") as? String == "nearside/nearside-\(name).json")
        }
    }

    @Test
    func `no class reads an attribute without checking that it exists`() throws {
        let classes = try objects("deviceclasses.yaml")
        #expect(
            classes.compactMap { at($0, "metadata.name") as? String } == [
                "nic.nearside", "rdma.nearside", "efa.nearside", "accelerator.nearside", "pair.nearside", "pairs-2.nearside",
                "pairs-4.nearside", "pairs-8.nearside",
            ])
        for entry in classes {
            let expression = try #require(at(entry, "spec.selectors.0.cel.expression") as? String)
            #expect(expression.hasPrefix("device.driver == \"dra.nearside\""))
            let used = expression.matches(of: /device\.attributes\["dra\.nearside"\]\.(\w+)/).map { String($0.1) }
            for attribute in used where attribute != "deviceID" {
                #expect(expression.contains("\"\(attribute)\" in device.attributes"), "\(attribute)")
            }
            // A function has both ids or none.
            if used.contains("deviceID") { #expect(used.contains("vendorID")) }
        }
    }

    @Test(arguments: ["nic", "accelerator-with-nic", "gpu-with-efas", "vendor-gpu-with-nic", "rail", "pairs"])
    func `every template names existing classes, and its configuration can be decoded`(name: String) throws {
        let known = try objects("deviceclasses.yaml").compactMap { at($0, "metadata.name") as? String } + ["gpu.nvidia.com"]
        let claim = try #require(try objects("claims/\(name).yaml").first)
        #expect(claim["apiVersion"] as? String == "resource.k8s.io/v1")
        #expect(claim["kind"] as? String == "ResourceClaimTemplate")
        let requests = try #require(at(claim, "spec.spec.devices.requests") as? [Object])
        for request in requests {
            #expect(known.contains(try #require(at(request, "exactly.deviceClassName") as? String)))
        }
        let names = requests.compactMap { $0["name"] as? String }
        for constraint in (at(claim, "spec.spec.devices.constraints") as? [Object]) ?? [] {
            #expect(Set((constraint["requests"] as? [String]) ?? []).isSubset(of: names))
        }
        for config in (at(claim, "spec.spec.devices.config") as? [Object]) ?? [] {
            let parameters = try #require(at(config, "opaque.parameters") as? Object)
            let data = try JSONSerialization.data(withJSONObject: parameters)
            _ = try NetworkConfig(try JSONValue(parsing: data))
        }
    }
}
