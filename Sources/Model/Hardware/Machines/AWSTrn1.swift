// SPDX-License-Identifier: Apache-2.0

extension MachineDescription {
    /// trn1.32xlarge, as a machine description.
    static let awsTrn1 = #"""
        {"apiVersion": "nearside/v1alpha1", "kind": "Machine", "name": "trn1.32xlarge",
         "source": "hwloc capture in the libfabric tests of ai-dynamo/nixl (Apache-2.0)",
         "note": "Numbers of /dev nodes and RDMA rates are assumed from the drivers' behaviour, in bus order.",
         "numaNodes": [{"id": 0, "distances": [10, 20]}, {"id": 1, "distances": [20, 10]}],
         "functions": [
          {"address": "0000:00:04.0", "vendor": "1d0f", "device": "8061", "class": "010802", "path": ["pci0000:00"], "driver": "nvme"},
          {"address": "0000:10:00.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:10"], "numaNode": 0, "driver": "ena", "netdevs": [{"name": "ens32", "mtu": 9001, "state": "up", "uplink": true}]},
          {"address": "0000:10:01.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:10"], "numaNode": 0, "driver": "ena", "netdevs": [{"name": "ens33", "mtu": 9001, "state": "up"}]},
          {"address": "0000:10:19.0", "vendor": "1d0f", "device": "efa1", "class": "020000", "path": ["pci0000:10"], "numaNode": 0, "driver": "efa", "rdmaDevices": [{"name": "rdmap16s25", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Unspecified", "rate": 100}], "charDevices": [{"path": "/dev/infiniband/uverbs0", "major": 231, "minor": 192}]}]},
          {"address": "0000:10:1a.0", "vendor": "1d0f", "device": "efa1", "class": "020000", "path": ["pci0000:10"], "numaNode": 0, "driver": "efa", "rdmaDevices": [{"name": "rdmap16s26", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Unspecified", "rate": 100}], "charDevices": [{"path": "/dev/infiniband/uverbs1", "major": 231, "minor": 193}]}]},
          {"address": "0000:10:1b.0", "vendor": "1d0f", "device": "7164", "class": "088000", "path": ["pci0000:10"], "numaNode": 0, "driver": "neuron", "link": {"gigatransfers": 8, "lanes": 16}},
          {"address": "0000:10:1c.0", "vendor": "1d0f", "device": "7164", "class": "088000", "path": ["pci0000:10"], "numaNode": 0, "driver": "neuron", "link": {"gigatransfers": 8, "lanes": 16}},
          {"address": "0000:10:1d.0", "vendor": "1d0f", "device": "7164", "class": "088000", "path": ["pci0000:10"], "numaNode": 0, "driver": "neuron", "link": {"gigatransfers": 8, "lanes": 16}},
          {"address": "0000:10:1e.0", "vendor": "1d0f", "device": "7164", "class": "088000", "path": ["pci0000:10"], "numaNode": 0, "driver": "neuron", "link": {"gigatransfers": 8, "lanes": 16}},
          {"address": "0000:10:1f.0", "vendor": "1d0f", "device": "cd01", "class": "010802", "path": ["pci0000:10"], "numaNode": 0, "driver": "nvme"},
          {"address": "0000:20:00.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:20"], "numaNode": 0, "driver": "ena", "netdevs": [{"name": "ens64", "mtu": 9001, "state": "up"}]},
          {"address": "0000:20:01.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:20"], "numaNode": 0, "driver": "ena", "netdevs": [{"name": "ens65", "mtu": 9001, "state": "up"}]},
          {"address": "0000:20:19.0", "vendor": "1d0f", "device": "efa1", "class": "020000", "path": ["pci0000:20"], "numaNode": 0, "driver": "efa", "rdmaDevices": [{"name": "rdmap32s25", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Unspecified", "rate": 100}], "charDevices": [{"path": "/dev/infiniband/uverbs2", "major": 231, "minor": 194}]}]},
          {"address": "0000:20:1a.0", "vendor": "1d0f", "device": "efa1", "class": "020000", "path": ["pci0000:20"], "numaNode": 0, "driver": "efa", "rdmaDevices": [{"name": "rdmap32s26", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Unspecified", "rate": 100}], "charDevices": [{"path": "/dev/infiniband/uverbs3", "major": 231, "minor": 195}]}]},
          {"address": "0000:20:1b.0", "vendor": "1d0f", "device": "7164", "class": "088000", "path": ["pci0000:20"], "numaNode": 0, "driver": "neuron", "link": {"gigatransfers": 8, "lanes": 16}},
          {"address": "0000:20:1c.0", "vendor": "1d0f", "device": "7164", "class": "088000", "path": ["pci0000:20"], "numaNode": 0, "driver": "neuron", "link": {"gigatransfers": 8, "lanes": 16}},
          {"address": "0000:20:1d.0", "vendor": "1d0f", "device": "7164", "class": "088000", "path": ["pci0000:20"], "numaNode": 0, "driver": "neuron", "link": {"gigatransfers": 8, "lanes": 16}},
          {"address": "0000:20:1e.0", "vendor": "1d0f", "device": "7164", "class": "088000", "path": ["pci0000:20"], "numaNode": 0, "driver": "neuron", "link": {"gigatransfers": 8, "lanes": 16}},
          {"address": "0000:20:1f.0", "vendor": "1d0f", "device": "cd01", "class": "010802", "path": ["pci0000:20"], "numaNode": 0, "driver": "nvme"},
          {"address": "0000:90:01.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:90"], "numaNode": 1, "driver": "ena", "netdevs": [{"name": "ens97", "mtu": 9001, "state": "up"}]},
          {"address": "0000:90:02.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:90"], "numaNode": 1, "driver": "ena", "netdevs": [{"name": "ens98", "mtu": 9001, "state": "up"}]},
          {"address": "0000:90:19.0", "vendor": "1d0f", "device": "efa1", "class": "020000", "path": ["pci0000:90"], "numaNode": 1, "driver": "efa", "rdmaDevices": [{"name": "rdmap144s25", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Unspecified", "rate": 100}], "charDevices": [{"path": "/dev/infiniband/uverbs4", "major": 231, "minor": 196}]}]},
          {"address": "0000:90:1a.0", "vendor": "1d0f", "device": "efa1", "class": "020000", "path": ["pci0000:90"], "numaNode": 1, "driver": "efa", "rdmaDevices": [{"name": "rdmap144s26", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Unspecified", "rate": 100}], "charDevices": [{"path": "/dev/infiniband/uverbs5", "major": 231, "minor": 197}]}]},
          {"address": "0000:90:1b.0", "vendor": "1d0f", "device": "7164", "class": "088000", "path": ["pci0000:90"], "numaNode": 1, "driver": "neuron", "link": {"gigatransfers": 8, "lanes": 16}},
          {"address": "0000:90:1c.0", "vendor": "1d0f", "device": "7164", "class": "088000", "path": ["pci0000:90"], "numaNode": 1, "driver": "neuron", "link": {"gigatransfers": 8, "lanes": 16}},
          {"address": "0000:90:1d.0", "vendor": "1d0f", "device": "7164", "class": "088000", "path": ["pci0000:90"], "numaNode": 1, "driver": "neuron", "link": {"gigatransfers": 8, "lanes": 16}},
          {"address": "0000:90:1e.0", "vendor": "1d0f", "device": "7164", "class": "088000", "path": ["pci0000:90"], "numaNode": 1, "driver": "neuron", "link": {"gigatransfers": 8, "lanes": 16}},
          {"address": "0000:90:1f.0", "vendor": "1d0f", "device": "cd01", "class": "010802", "path": ["pci0000:90"], "numaNode": 1, "driver": "nvme"},
          {"address": "0000:a0:00.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:a0"], "numaNode": 1, "driver": "ena", "netdevs": [{"name": "ens128", "mtu": 9001, "state": "up"}]},
          {"address": "0000:a0:01.0", "vendor": "1d0f", "device": "ec20", "class": "020000", "path": ["pci0000:a0"], "numaNode": 1, "driver": "ena", "netdevs": [{"name": "ens129", "mtu": 9001, "state": "up"}]},
          {"address": "0000:a0:19.0", "vendor": "1d0f", "device": "efa1", "class": "020000", "path": ["pci0000:a0"], "numaNode": 1, "driver": "efa", "rdmaDevices": [{"name": "rdmap160s25", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Unspecified", "rate": 100}], "charDevices": [{"path": "/dev/infiniband/uverbs6", "major": 231, "minor": 198}]}]},
          {"address": "0000:a0:1a.0", "vendor": "1d0f", "device": "efa1", "class": "020000", "path": ["pci0000:a0"], "numaNode": 1, "driver": "efa", "rdmaDevices": [{"name": "rdmap160s26", "ports": [{"number": 1, "state": "ACTIVE", "linkLayer": "Unspecified", "rate": 100}], "charDevices": [{"path": "/dev/infiniband/uverbs7", "major": 231, "minor": 199}]}]},
          {"address": "0000:a0:1b.0", "vendor": "1d0f", "device": "7164", "class": "088000", "path": ["pci0000:a0"], "numaNode": 1, "driver": "neuron", "link": {"gigatransfers": 8, "lanes": 16}},
          {"address": "0000:a0:1c.0", "vendor": "1d0f", "device": "7164", "class": "088000", "path": ["pci0000:a0"], "numaNode": 1, "driver": "neuron", "link": {"gigatransfers": 8, "lanes": 16}},
          {"address": "0000:a0:1d.0", "vendor": "1d0f", "device": "7164", "class": "088000", "path": ["pci0000:a0"], "numaNode": 1, "driver": "neuron", "link": {"gigatransfers": 8, "lanes": 16}},
          {"address": "0000:a0:1e.0", "vendor": "1d0f", "device": "7164", "class": "088000", "path": ["pci0000:a0"], "numaNode": 1, "driver": "neuron", "link": {"gigatransfers": 8, "lanes": 16}},
          {"address": "0000:a0:1f.0", "vendor": "1d0f", "device": "cd01", "class": "010802", "path": ["pci0000:a0"], "numaNode": 1, "driver": "nvme"}
         ]}
        """#
}
