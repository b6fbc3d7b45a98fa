// SPDX-License-Identifier: Apache-2.0

extension MachineDescription {
    /// g6.48xlarge, as a machine description.
    static let awsG6 = #"""
        {"apiVersion": "nearside/v1alpha1", "kind": "Machine", "name": "g6.48xlarge",
         "source": "hwloc capture in the libfabric tests of ai-dynamo/nixl (Apache-2.0)",
         "note": "Each GPU has its own host bridge, without a NIC. Drivers, names of RDMA devices and numbers of /dev nodes are assumed in bus order. Port rates are those of the instance type.",
         "numaNodes": [{"id": 0}, {"id": 1}],
         "functions": [
          {"address": "0000:00:04.0", "vendor": "1d0f", "device": "8061", "class": "010800", "path": ["pci0000:00"], "numaNode": 0, "driver": "nvme"},
          {"address": "0000:87:00.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:84", "0000:84:00.0", "0000:85:00.0", "0000:86:00.0"], "numaNode": 0, "driver": "ena", "netdevs": [{"name": "enp135s0", "uplink": true}]},
          {"address": "0000:96:00.0", "vendor": "1d0f", "device": "efa1", "class": "020000", "path": ["pci0000:84", "0000:84:00.0", "0000:85:00.0", "0000:86:01.7"], "numaNode": 0, "driver": "efa", "rdmaDevices": [{"name": "rdmap150s0", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Unspecified", "rate": 100}], "charDevices": [{"path": "/dev/infiniband/uverbs0", "major": 231, "minor": 192}]}]},
          {"address": "0000:9a:00.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:97", "0000:97:00.0", "0000:98:00.0", "0000:99:00.0"], "numaNode": 0, "driver": "nvme"},
          {"address": "0000:9b:00.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:97", "0000:97:00.0", "0000:98:00.0", "0000:99:00.1"], "numaNode": 0, "driver": "nvme"},
          {"address": "0000:9c:00.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:97", "0000:97:00.0", "0000:98:00.0", "0000:99:00.2"], "numaNode": 0, "driver": "nvme"},
          {"address": "0000:9d:00.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:97", "0000:97:00.0", "0000:98:00.0", "0000:99:00.3"], "numaNode": 0, "driver": "nvme"},
          {"address": "0000:9f:00.0", "vendor": "10de", "device": "27b8", "class": "030200", "path": ["pci0000:9e", "0000:9e:00.0"], "numaNode": 0, "driver": "nvidia"},
          {"address": "0000:a1:00.0", "vendor": "10de", "device": "27b8", "class": "030200", "path": ["pci0000:a0", "0000:a0:00.0"], "numaNode": 0, "driver": "nvidia"},
          {"address": "0000:a3:00.0", "vendor": "10de", "device": "27b8", "class": "030200", "path": ["pci0000:a2", "0000:a2:00.0"], "numaNode": 0, "driver": "nvidia"},
          {"address": "0000:a5:00.0", "vendor": "10de", "device": "27b8", "class": "030200", "path": ["pci0000:a4", "0000:a4:00.0"], "numaNode": 0, "driver": "nvidia"},
          {"address": "0000:a9:00.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:a6", "0000:a6:00.0", "0000:a7:00.0", "0000:a8:00.0"], "numaNode": 1, "driver": "nvme"},
          {"address": "0000:aa:00.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:a6", "0000:a6:00.0", "0000:a7:00.0", "0000:a8:00.1"], "numaNode": 1, "driver": "nvme"},
          {"address": "0000:ab:00.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:a6", "0000:a6:00.0", "0000:a7:00.0", "0000:a8:00.2"], "numaNode": 1, "driver": "nvme"},
          {"address": "0000:ac:00.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:a6", "0000:a6:00.0", "0000:a7:00.0", "0000:a8:00.3"], "numaNode": 1, "driver": "nvme"},
          {"address": "0000:ae:00.0", "vendor": "10de", "device": "27b8", "class": "030200", "path": ["pci0000:ad", "0000:ad:00.0"], "numaNode": 1, "driver": "nvidia"},
          {"address": "0000:b0:00.0", "vendor": "10de", "device": "27b8", "class": "030200", "path": ["pci0000:af", "0000:af:00.0"], "numaNode": 1, "driver": "nvidia"},
          {"address": "0000:b2:00.0", "vendor": "10de", "device": "27b8", "class": "030200", "path": ["pci0000:b1", "0000:b1:00.0"], "numaNode": 1, "driver": "nvidia"},
          {"address": "0000:b4:00.0", "vendor": "10de", "device": "27b8", "class": "030200", "path": ["pci0000:b3", "0000:b3:00.0"], "numaNode": 1, "driver": "nvidia"}
         ]}
        """#
}
