// SPDX-License-Identifier: Apache-2.0

extension MachineDescription {
    /// p6-b200.48xlarge, as a machine description.
    static let awsP6B200 = #"""
        {"apiVersion": "nearside/v1alpha1", "kind": "Machine", "name": "p6-b200.48xlarge",
         "source": "hwloc capture in the libfabric tests of ai-dynamo/nixl (Apache-2.0)",
         "note": "The two ConnectX-7 manage the NVLink switches. Drivers, names of RDMA devices and numbers of /dev nodes are assumed in bus order. Port rates are those of the instance type.",
         "numaNodes": [{"id": 0}, {"id": 1}],
         "functions": [
          {"address": "0000:00:04.0", "vendor": "1d0f", "device": "8061", "class": "010800", "path": ["pci0000:00"], "numaNode": 0, "driver": "nvme"},
          {"address": "0000:47:00.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:44", "0000:44:00.0", "0000:45:00.0", "0000:46:00.0"], "numaNode": 0, "driver": "ena", "netdevs": [{"name": "enp71s0", "uplink": true}]},
          {"address": "0000:48:00.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:44", "0000:44:00.0", "0000:45:00.0", "0000:46:00.1"], "numaNode": 0, "driver": "ena", "netdevs": [{"name": "enp72s0"}]},
          {"address": "0000:4f:00.0", "vendor": "1d0f", "device": "efa3", "class": "020000", "path": ["pci0000:44", "0000:44:00.0", "0000:45:00.0", "0000:46:01.0"], "numaNode": 0, "driver": "efa", "rdmaDevices": [{"name": "rdmap79s0", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Unspecified", "rate": 400}], "charDevices": [{"path": "/dev/infiniband/uverbs0", "major": 231, "minor": 192}]}]},
          {"address": "0000:50:00.0", "vendor": "1d0f", "device": "efa3", "class": "020000", "path": ["pci0000:44", "0000:44:00.0", "0000:45:00.0", "0000:46:01.1"], "numaNode": 0, "driver": "efa", "rdmaDevices": [{"name": "rdmap80s0", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Unspecified", "rate": 400}], "charDevices": [{"path": "/dev/infiniband/uverbs1", "major": 231, "minor": 193}]}]},
          {"address": "0000:51:00.0", "vendor": "10de", "device": "2901", "class": "030200", "path": ["pci0000:44", "0000:44:00.0", "0000:45:00.0", "0000:46:01.2"], "numaNode": 0, "driver": "nvidia"},
          {"address": "0000:52:00.0", "vendor": "10de", "device": "2901", "class": "030200", "path": ["pci0000:44", "0000:44:00.0", "0000:45:00.0", "0000:46:01.3"], "numaNode": 0, "driver": "nvidia"},
          {"address": "0000:53:00.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:44", "0000:44:00.0", "0000:45:00.0", "0000:46:01.4"], "numaNode": 0, "driver": "nvme"},
          {"address": "0000:54:00.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:44", "0000:44:00.0", "0000:45:00.0", "0000:46:01.5"], "numaNode": 0, "driver": "nvme"},
          {"address": "0000:58:00.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:55", "0000:55:00.0", "0000:56:00.0", "0000:57:00.0"], "numaNode": 0, "driver": "ena", "netdevs": [{"name": "enp88s0"}]},
          {"address": "0000:59:00.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:55", "0000:55:00.0", "0000:56:00.0", "0000:57:00.1"], "numaNode": 0, "driver": "ena", "netdevs": [{"name": "enp89s0"}]},
          {"address": "0000:60:00.0", "vendor": "1d0f", "device": "efa3", "class": "020000", "path": ["pci0000:55", "0000:55:00.0", "0000:56:00.0", "0000:57:01.0"], "numaNode": 0, "driver": "efa", "rdmaDevices": [{"name": "rdmap96s0", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Unspecified", "rate": 400}], "charDevices": [{"path": "/dev/infiniband/uverbs2", "major": 231, "minor": 194}]}]},
          {"address": "0000:61:00.0", "vendor": "1d0f", "device": "efa3", "class": "020000", "path": ["pci0000:55", "0000:55:00.0", "0000:56:00.0", "0000:57:01.1"], "numaNode": 0, "driver": "efa", "rdmaDevices": [{"name": "rdmap97s0", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Unspecified", "rate": 400}], "charDevices": [{"path": "/dev/infiniband/uverbs3", "major": 231, "minor": 195}]}]},
          {"address": "0000:62:00.0", "vendor": "10de", "device": "2901", "class": "030200", "path": ["pci0000:55", "0000:55:00.0", "0000:56:00.0", "0000:57:01.2"], "numaNode": 0, "driver": "nvidia"},
          {"address": "0000:63:00.0", "vendor": "10de", "device": "2901", "class": "030200", "path": ["pci0000:55", "0000:55:00.0", "0000:56:00.0", "0000:57:01.3"], "numaNode": 0, "driver": "nvidia"},
          {"address": "0000:64:00.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:55", "0000:55:00.0", "0000:56:00.0", "0000:57:01.4"], "numaNode": 0, "driver": "nvme"},
          {"address": "0000:65:00.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:55", "0000:55:00.0", "0000:56:00.0", "0000:57:01.5"], "numaNode": 0, "driver": "nvme"},
          {"address": "0000:6a:00.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:66", "0000:66:00.0", "0000:67:00.0", "0000:68:00.1"], "numaNode": 1, "driver": "ena", "netdevs": [{"name": "enp106s0"}]},
          {"address": "0000:6b:00.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:66", "0000:66:00.0", "0000:67:00.0", "0000:68:00.2"], "numaNode": 1, "driver": "ena", "netdevs": [{"name": "enp107s0"}]},
          {"address": "0000:71:00.0", "vendor": "1d0f", "device": "efa3", "class": "020000", "path": ["pci0000:66", "0000:66:00.0", "0000:67:00.0", "0000:68:01.0"], "numaNode": 1, "driver": "efa", "rdmaDevices": [{"name": "rdmap113s0", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Unspecified", "rate": 400}], "charDevices": [{"path": "/dev/infiniband/uverbs4", "major": 231, "minor": 196}]}]},
          {"address": "0000:72:00.0", "vendor": "1d0f", "device": "efa3", "class": "020000", "path": ["pci0000:66", "0000:66:00.0", "0000:67:00.0", "0000:68:01.1"], "numaNode": 1, "driver": "efa", "rdmaDevices": [{"name": "rdmap114s0", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Unspecified", "rate": 400}], "charDevices": [{"path": "/dev/infiniband/uverbs5", "major": 231, "minor": 197}]}]},
          {"address": "0000:73:00.0", "vendor": "15b3", "device": "1021", "class": "020700", "path": ["pci0000:66", "0000:66:00.0", "0000:67:00.0", "0000:68:01.2"], "numaNode": 1, "driver": "mlx5_core", "netdevs": [{"name": "ibp115s0f0"}]},
          {"address": "0000:74:00.0", "vendor": "15b3", "device": "1021", "class": "020700", "path": ["pci0000:66", "0000:66:00.0", "0000:67:00.0", "0000:68:01.3"], "numaNode": 1, "driver": "mlx5_core", "netdevs": [{"name": "ibp116s0f0"}]},
          {"address": "0000:75:00.0", "vendor": "10de", "device": "2901", "class": "030200", "path": ["pci0000:66", "0000:66:00.0", "0000:67:00.0", "0000:68:01.4"], "numaNode": 1, "driver": "nvidia"},
          {"address": "0000:76:00.0", "vendor": "10de", "device": "2901", "class": "030200", "path": ["pci0000:66", "0000:66:00.0", "0000:67:00.0", "0000:68:01.5"], "numaNode": 1, "driver": "nvidia"},
          {"address": "0000:77:00.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:66", "0000:66:00.0", "0000:67:00.0", "0000:68:01.6"], "numaNode": 1, "driver": "nvme"},
          {"address": "0000:78:00.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:66", "0000:66:00.0", "0000:67:00.0", "0000:68:01.7"], "numaNode": 1, "driver": "nvme"},
          {"address": "0000:7c:00.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:79", "0000:79:00.0", "0000:7a:00.0", "0000:7b:00.0"], "numaNode": 1, "driver": "ena", "netdevs": [{"name": "enp124s0"}]},
          {"address": "0000:7d:00.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:79", "0000:79:00.0", "0000:7a:00.0", "0000:7b:00.1"], "numaNode": 1, "driver": "ena", "netdevs": [{"name": "enp125s0"}]},
          {"address": "0000:84:00.0", "vendor": "1d0f", "device": "efa3", "class": "020000", "path": ["pci0000:79", "0000:79:00.0", "0000:7a:00.0", "0000:7b:01.0"], "numaNode": 1, "driver": "efa", "rdmaDevices": [{"name": "rdmap132s0", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Unspecified", "rate": 400}], "charDevices": [{"path": "/dev/infiniband/uverbs6", "major": 231, "minor": 198}]}]},
          {"address": "0000:85:00.0", "vendor": "1d0f", "device": "efa3", "class": "020000", "path": ["pci0000:79", "0000:79:00.0", "0000:7a:00.0", "0000:7b:01.1"], "numaNode": 1, "driver": "efa", "rdmaDevices": [{"name": "rdmap133s0", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Unspecified", "rate": 400}], "charDevices": [{"path": "/dev/infiniband/uverbs7", "major": 231, "minor": 199}]}]},
          {"address": "0000:86:00.0", "vendor": "10de", "device": "2901", "class": "030200", "path": ["pci0000:79", "0000:79:00.0", "0000:7a:00.0", "0000:7b:01.2"], "numaNode": 1, "driver": "nvidia"},
          {"address": "0000:87:00.0", "vendor": "10de", "device": "2901", "class": "030200", "path": ["pci0000:79", "0000:79:00.0", "0000:7a:00.0", "0000:7b:01.3"], "numaNode": 1, "driver": "nvidia"},
          {"address": "0000:88:00.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:79", "0000:79:00.0", "0000:7a:00.0", "0000:7b:01.4"], "numaNode": 1, "driver": "nvme"},
          {"address": "0000:89:00.0", "vendor": "1d0f", "device": "cd01", "class": "010800", "path": ["pci0000:79", "0000:79:00.0", "0000:7a:00.0", "0000:7b:01.5"], "numaNode": 1, "driver": "nvme"}
         ]}
        """#
}
