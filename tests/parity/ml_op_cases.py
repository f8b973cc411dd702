"""Operators of ai.onnx.ml: cases for op_oracle.py."""
import numpy as np
from onnx import numpy_helper

ML = "ai.onnx.ml"
TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")


def texts(*items, shape=None):
    array = np.array(items, dtype=object)
    return array.reshape(shape) if shape is not None else array


def floats(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def add_features(add, rng):
    x = floats(rng, 3, 4)
    for dtype in (np.float32, np.float64, np.int64, np.int32):
        name = np.dtype(dtype).name
        data = (x * 5).astype(dtype)
        add(f"extract_{name}", "ArrayFeatureExtractor", [data, np.array([[2, 0]])], domain=ML)
        for norm in ("MAX", "L1", "L2"):
            add(f"normalizer_{norm}_{name}", "Normalizer", [data], {"norm": norm}, domain=ML)
        add(f"scaler_{name}", "Scaler", [data], {"scale": [1., 2., 3., 4.], "offset": [.5, 1., 0., -1.]}, domain=ML)
        add(f"scaler_one_{name}", "Scaler", [data], {"scale": [2.], "offset": [.5]}, domain=ML)
    add("extract_row", "ArrayFeatureExtractor", [np.arange(5, dtype=np.float32), np.array([4, 1])], domain=ML)
    add("extract_text", "ArrayFeatureExtractor", [texts("a", "b", "c", "d", shape=(2, 2)), np.array([1])], domain=ML)
    add("extract_outside", "ArrayFeatureExtractor", [x, np.array([4])], domain=ML, refused=True)
    for norm in ("MAX", "L1", "L2"):
        add(f"normalizer_{norm}_row", "Normalizer", [np.float32([1, -4, 2])], {"norm": norm}, domain=ML)
        add(f"normalizer_{norm}_zero", "Normalizer", [np.zeros((2, 3), np.float32)], {"norm": norm}, domain=ML)
    add("binarizer", "Binarizer", [x], {"threshold": .25}, domain=ML)
    nan = np.float32([[1, np.nan, 3], [np.nan, 5, -1]])
    add("imputer_nan", "Imputer", [nan], {"imputed_value_floats": [7., 8., 9.], "replaced_value_float": float("nan")}, domain=ML)
    add("imputer_one", "Imputer", [nan], {"imputed_value_floats": [7.], "replaced_value_float": -1.}, domain=ML)
    add("imputer_int", "Imputer", [np.arange(6).reshape(2, 3)], {"imputed_value_int64s": [7, 8, 9], "replaced_value_int64": 4},
        domain=ML)
    add("vectorizer", "FeatureVectorizer", [x, (x[:, :2] * 9).astype(np.float32)], {"inputdimensions": [4, 2]}, domain=ML)
    add("vectorizer_int", "FeatureVectorizer", [np.arange(6).reshape(3, 2), np.arange(9).reshape(3, 3)],
        {"inputdimensions": [2, 3]}, domain=ML)


def add_encoders(add, rng):
    words = texts("b", "zz", "a", "", shape=(2, 2))
    add("label1_text", "LabelEncoder", [words], {"classes_strings": ["a", "b", "c"], "default_int64": 9}, domain=ML, opset=1)
    add("label1_int", "LabelEncoder", [np.array([2, 0, 5, -1])], {"classes_strings": ["a", "b", "c"], "default_string": "?"},
        domain=ML, opset=1)
    add("mapper_text", "CategoryMapper", [words], {"cats_strings": ["a", "b"], "cats_int64s": [10, 20]}, domain=ML)
    add("mapper_int", "CategoryMapper", [np.array([20, 10, 5])], {"cats_strings": ["a", "b"], "cats_int64s": [10, 20]}, domain=ML)
    keys = {"int64s": ([1, 2, 2, 7], np.array([2, 3, 1, 7])), "strings": (["a", "b", "b", "q"], texts("b", "?", "a", "q")),
            "floats": ([1., 2.5, 2.5, float("nan")], np.float32([2.5, np.nan, 1, 9]))}
    values = {"int64s": [5, 6, 7, 8], "strings": ["x", "y", "z", "w"], "floats": [.5, 1.5, 2.5, 3.5]}
    for opset in (2, 4):
        for kind, (list_of_keys, data) in keys.items():
            if opset == 2 and kind == "floats":
                continue
            for value in values:
                if kind == value == "floats" or (opset == 2 and kind == value):
                    continue
                # Of a repeated key the last entry counts since version 4, but not in ONNX Runtime: only version 2 has one.
                n = 4 if opset == 2 else 2
                add(f"label{opset}_{kind}_{value}", "LabelEncoder", [data],
                    {f"keys_{kind}": list_of_keys[:n] + list_of_keys[3:], f"values_{value}": values[value][:n] + values[value][3:]},
                    domain=ML, opset=opset)
    add("onehot_int", "OneHotEncoder", [np.array([[1, 5], [9, 7]])], {"cats_int64s": [5, 1, 7]}, domain=ML)
    add("onehot_float", "OneHotEncoder", [np.float32([1.9, 5, -1, 7])], {"cats_int64s": [5, 1, 7]}, domain=ML)
    add("onehot_text", "OneHotEncoder", [words], {"cats_strings": ["a", "b"]}, domain=ML)
    add("onehot_unknown", "OneHotEncoder", [words], {"cats_strings": ["a", "b"], "zeros": 0}, domain=ML, refused=True)


def add_linear(add, rng):
    for dtype in (np.float32, np.float64, np.int64, np.int32):
        x = (floats(rng, 5, 3) * 4).astype(dtype)
        for post in TRANSFORMS:
            scale = .02 if post == "PROBIT" else .3
            c, b = (floats(rng, 6) * scale).ravel().tolist(), [.4, .6]
            name = f"{np.dtype(dtype).name}_{post}"
            # PROBIT loses digits around one half where it is computed in float32.
            atol = 5e-4 if post == "PROBIT" else 1e-6
            if dtype is np.float32:
                add(f"linear_regressor_{name}", "LinearRegressor", [x],
                    {"coefficients": c, "intercepts": b, "targets": 2, "post_transform": post}, domain=ML, atol=atol)
            for classes, labels in ((1, [3, 7]), (2, [3, 7]), (3, [5, 6, 9])):
                if (classes, post) == (1, "PROBIT"):  # ONNX Runtime writes one score per row and leaves the rest unset
                    continue
                c, b = (floats(rng, classes * 3) * scale).tolist(), [.4, .6, .5][:classes]
                attributes = {"coefficients": c, "intercepts": b, "post_transform": post, "classlabels_ints": labels}
                add(f"linear_classifier_{classes}_{len(labels)}_{name}", "LinearClassifier", [x], attributes, 2, domain=ML, atol=atol)
    attributes = {"coefficients": [1., -1., .5], "intercepts": [.1], "classlabels_strings": ["no", "yes"]}
    add("linear_classifier_text", "LinearClassifier", [floats(rng, 6, 3)], attributes, 2, domain=ML)
    attributes = {"coefficients": [1., -1., .5, 1.], "classlabels_strings": ["no", "yes"], "intercepts": [0., 0.]}
    add("linear_classifier_row", "LinearClassifier", [floats(rng, 2)], attributes, 2, domain=ML)


def random_tree(rng, tree, depth, features, modes):
    """Nodes of a full tree as dictionaries; ids count up in order of creation."""
    nodes = []

    def grow(level):
        node = dict(nodes_treeids=tree, nodes_nodeids=len(nodes), nodes_featureids=int(rng.integers(features)),
                    nodes_values=float(np.float32(rng.standard_normal() * .7)), nodes_modes=str(rng.choice(modes)),
                    nodes_truenodeids=0, nodes_falsenodeids=0, nodes_missing_value_tracks_true=int(rng.integers(2)))
        nodes.append(node)
        if level == depth or (level > 0 and rng.random() < .2):
            node["nodes_modes"] = "LEAF"
            return node["nodes_nodeids"]
        node["nodes_truenodeids"] = grow(level + 1)
        node["nodes_falsenodeids"] = grow(level + 1)
        return node["nodes_nodeids"]

    grow(0)
    return nodes


def random_forest(rng, kind, trees, targets, low, high, modes=("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"), only=None):
    """Attributes of an ensemble. `only`: every leaf votes for these targets."""
    nodes = [node for tree in range(trees) for node in random_tree(rng, tree, 4, 3, modes)]
    attributes = {name: [node[name] for node in nodes] for name in nodes[0]}
    votes = []
    for node in nodes:
        if node["nodes_modes"] == "LEAF":
            for target in only if only is not None else sorted({int(t) for t in rng.integers(targets, size=2)}):
                votes.append((node["nodes_treeids"], node["nodes_nodeids"], target, float(rng.uniform(low, high))))
    for name, values in zip(("treeids", "nodeids", "ids", "weights"), zip(*votes)):
        attributes[f"{kind}_{name}"] = list(values)
    return attributes


def add_trees(add, rng):
    x = floats(rng, 40, 3)
    missing = x.copy()
    missing[::3, 1] = np.nan
    for aggregate in ("SUM", "AVERAGE", "MIN", "MAX"):
        for post in TRANSFORMS:
            attributes = random_forest(rng, "target", 5, 2, .01, .09, only=(0, 1))
            attributes.update(n_targets=2, aggregate_function=aggregate, post_transform=post, base_values=[.25, .5])
            for opset in (1, 3):
                add(f"tree_regressor_{aggregate}_{post}_{opset}", "TreeEnsembleRegressor", [missing], attributes, domain=ML,
                    opset=opset, atol=5e-4 if post == "PROBIT" else 1e-6)
    for dtype in (np.float64,):
        attributes = dict(random_forest(rng, "target", 7, 1, -1, 1), n_targets=1)
        add(f"tree_regressor_{np.dtype(dtype).name}", "TreeEnsembleRegressor", [(x * 3).astype(dtype)], attributes, domain=ML,
            opset=3)
    attributes = dict(random_forest(rng, "target", 4, 3, -1, 1, modes=("BRANCH_EQ", "BRANCH_NEQ")), n_targets=3)
    attributes["nodes_values"] = [float(round(v)) for v in attributes["nodes_values"]]
    add("tree_regressor_equal", "TreeEnsembleRegressor", [np.round(x)], attributes, domain=ML, opset=3)
    for post in TRANSFORMS:
        for low, high in ((.001, .05), (-.5, .5)):
            if post == "PROBIT" and low < 0:
                continue
            sign = "mixed" if low < 0 else "positive"
            # With votes for both of two classes ONNX Runtime's label is not the top class, with two base values for one vote
            # it drops one of them, and for class 1 alone it adds the base value to class 0.
            for classes, only, bases in ((2, (0,), (0, 1)), (2, (1,), (0,)), (3, (0, 1, 2), (0, 3)), (3, None, (0, 3)), (4, (1,), (4,))):
                for n_base in bases:
                    if (only, post) == ((0,), "PROBIT"):  # it leaves the second score unset
                        continue
                    attributes = random_forest(rng, "class", 6, classes, low, high, only=only)
                    attributes.update(classlabels_int64s=list(range(10, 10 + classes)), post_transform=post)
                    if n_base:
                        attributes["base_values"] = [.01, .02, .03, .04][:n_base]
                    votes = "any" if only is None else "".join(map(str, only))
                    add(f"tree_classifier_{classes}_{votes}_{n_base}_{sign}_{post}", "TreeEnsembleClassifier", [x], attributes, 2,
                        domain=ML, opset=3, atol=5e-4 if post == "PROBIT" else 1e-6)
    for dtype in (np.float64, np.int64, np.int32):
        attributes = dict(random_forest(rng, "class", 7, 3, 0, 1, only=(0, 1, 2)), classlabels_int64s=[4, 5, 6])
        add(f"tree_classifier_{np.dtype(dtype).name}", "TreeEnsembleClassifier", [(x * 3).astype(dtype)], attributes, 2, domain=ML,
            opset=3)
    attributes = dict(random_forest(rng, "class", 5, 3, 0, 1), classlabels_strings=["a", "b", "c"])
    add("tree_classifier_text", "TreeEnsembleClassifier", [x], attributes, 2, domain=ML, opset=1)


def random_ensemble(rng, trees, targets, dtype, members):
    """Attributes of TreeEnsemble."""
    attributes = {name: [] for name in ("tree_roots", "nodes_featureids", "nodes_truenodeids", "nodes_falsenodeids",
                                        "nodes_trueleafs", "nodes_falseleafs", "nodes_missing_value_tracks_true", "leaf_targetids")}
    modes, splits, weights, sets = [], [], [], {}

    def grow(level):
        """A child as (index, is leaf)."""
        if level == 4 or (level > 0 and rng.random() < .2):
            attributes["leaf_targetids"].append(int(rng.integers(targets)))
            weights.append(rng.uniform(-1, 1))
            return len(weights) - 1, 1
        at = len(modes)
        modes.append(6 if members and rng.random() < .4 else int(rng.integers(6)))
        splits.append(np.round(rng.standard_normal() * .8))
        if modes[at] == 6:
            sets[at] = rng.choice(5, size=2, replace=False) - 2
        attributes["nodes_featureids"].append(int(rng.integers(3)))
        attributes["nodes_missing_value_tracks_true"].append(0)
        for side in ("true", "false"):
            attributes[f"nodes_{side}nodeids"].append(0)
            attributes[f"nodes_{side}leafs"].append(0)
        for side in ("true", "false"):
            attributes[f"nodes_{side}nodeids"][at], attributes[f"nodes_{side}leafs"][at] = grow(level + 1)
        return at, 0

    for _ in range(trees):
        attributes["tree_roots"].append(len(modes))
        grow(0)
    attributes.update(n_targets=targets, nodes_modes=numpy_helper.from_array(np.array(modes, np.uint8)),
                      nodes_splits=numpy_helper.from_array(np.array(splits, dtype)),
                      leaf_weights=numpy_helper.from_array(np.array(weights, dtype)))
    if sets:
        flat = np.concatenate([np.append(sets[at], np.nan) for at in sorted(sets)])
        attributes["membership_values"] = numpy_helper.from_array(flat.astype(dtype))
    return attributes


def add_ensembles(add, rng):
    x = np.round(floats(rng, 40, 3) * 1.5)
    for dtype in (np.float32, np.float64):
        for members in (False, True):
            for aggregate in range(4):
                attributes = random_ensemble(rng, 5, 2, dtype, members)
                add(f"ensemble_{np.dtype(dtype).name}_{aggregate}_{members}", "TreeEnsemble", [x.astype(dtype)],
                    dict(attributes, aggregate_function=aggregate), domain=ML, opset=5)
    for post in (0, 3):  # ONNX Runtime swaps 1 (softmax) and 2 (logistic)
        add(f"ensemble_post_{post}", "TreeEnsemble", [x], dict(random_ensemble(rng, 3, 2, np.float32, False), post_transform=post),
            domain=ML, opset=5)


def add_maps(add, rng):
    scores = floats(rng, 3, 4)
    add("zip_numbers", "ZipMap", [scores], {"classlabels_int64s": [3, 1, 9, 2]}, domain=ML)
    add("zip_texts", "ZipMap", [scores], {"classlabels_strings": ["d", "a", "c", "b"]}, domain=ML)
    add("zip_row", "ZipMap", [scores[0]], {"classlabels_int64s": [3, 1, 9, 2]}, domain=ML)
    add("zip_labels", "ZipMap", [scores], {"classlabels_int64s": [3, 1]}, domain=ML, refused=True)
    numbers = (np.array([5, 2, 7]), np.float32([1.5, -2, 1e10]))
    words = (np.array([3, 0]), texts("12", "-7"))
    for cast in ("TO_FLOAT", "TO_STRING", "TO_INT64"):
        add(f"cast_map_{cast}", "CastMap", [numbers], {"cast_to": cast}, domain=ML)
    # Of integers to texts its Python interface cannot make maps, and of float64 neither.
    for cast, dense, sparse in (("TO_FLOAT", np.float32([[-7, 12]]), np.float32([[-7, 0, 0, 12, 0]])),
                                ("TO_INT64", np.array([[-7, 12]]), np.array([[-7, 0, 0, 12, 0]])),
                                ("TO_STRING", texts("-7", "12", shape=(1, 2)), texts("-7", "", "", "12", "", shape=(1, 5)))):
        add(f"cast_map_text_{cast}", "CastMap", [words], {"cast_to": cast}, domain=ML, expected=[dense])
        add(f"cast_map_sparse_{cast}", "CastMap", [words], {"cast_to": cast, "map_form": "SPARSE", "max_map": 5}, domain=ML,
            expected=[sparse])
    add("cast_map_beyond", "CastMap", [words], {"map_form": "SPARSE", "max_map": 3}, domain=ML, refused=True)
    add("dict_text", "DictVectorizer", [(texts("b", "z"), np.float32([4, 8]))], {"string_vocabulary": ["a", "b", "z"]}, domain=ML)
    add("dict_number", "DictVectorizer", [(np.array([4, 1]), np.float64([.5, 8]))], {"int64_vocabulary": [1, 2, 4]}, domain=ML,
        expected=[np.array([[8, 0, .5]])])
    add("dict_to_text", "DictVectorizer", [(np.array([4, 1]), texts("x", "y"))], {"int64_vocabulary": [1, 2, 4]}, domain=ML,
        expected=[texts("y", "", "x", shape=(1, 3))])


def add_svm(add, rng):
    params = {"LINEAR": [0., 0., 0.], "POLY": [.3, .5, 3.], "RBF": [.4, 0., 0.], "SIGMOID": [.2, .1, 0.]}
    for kernel, kernel_params in params.items():
        for post in TRANSFORMS:
            x = floats(rng, 9, 3)
            for one_class in (0, 1):
                if post != "NONE":  # which ONNX Runtime ignores here
                    continue
                attributes = {"kernel_type": kernel, "kernel_params": kernel_params, "post_transform": post, "one_class": one_class,
                              "support_vectors": floats(rng, 12).tolist(), "n_supports": 4, "rho": [.5],
                              "coefficients": (floats(rng, 4) * .1).tolist()}
                add(f"svm_regressor_{kernel}_{post}_{one_class}", "SVMRegressor", [x], attributes, domain=ML,
                    atol=1e-5)
            add_svm_classifiers(add, rng, x, kernel, kernel_params, post)
    attributes = {"coefficients": [.1, .2, .3], "rho": [.05], "n_supports": 0, "kernel_params": [0., 0., 0.]}
    add("svm_regressor_weights", "SVMRegressor", [floats(rng, 4, 3)], attributes, domain=ML)


def add_svm_classifiers(add, rng, x, kernel, kernel_params, post):
    for classes in (2, 3, 4):
        if (classes, post) == (2, "PROBIT"):  # it leaves the second score unset
            continue
        pairs = classes * (classes - 1) // 2
        for probability in (False, True) if post not in ("PROBIT", "SOFTMAX_ZERO") else (False,):  # which are steep near 0
            for positive in (False, True):
                for texts_as_labels in (False, True):
                    vectors = [int(n) for n in rng.integers(1, 4, classes)]
                    coefficients = floats(rng, (classes - 1) * sum(vectors))
                    attributes = {"kernel_type": kernel, "kernel_params": kernel_params, "post_transform": post,
                                  "support_vectors": floats(rng, 3 * sum(vectors)).tolist(), "vectors_per_class": vectors,
                                  "coefficients": (abs(coefficients) if positive else coefficients).tolist(),
                                  "rho": (floats(rng, pairs) * .3).tolist()}
                    if probability:
                        attributes.update(prob_a=(-abs(floats(rng, pairs)) - .5).tolist(), prob_b=(floats(rng, pairs) * .2).tolist())
                    if texts_as_labels:
                        attributes["classlabels_strings"] = ["a", "b", "c", "d"][:classes]
                    else:
                        attributes["classlabels_ints"] = [7, 8, 9, 10][:classes]
                    add(f"svm_classifier_{kernel}_{post}_{classes}_{probability:d}{positive:d}{texts_as_labels:d}", "SVMClassifier",
                        [x], attributes, 2, domain=ML, rtol=1e-4, atol=5e-4 if post == "PROBIT" else 1e-5)
    for classes in (3, 4):  # with two, ONNX Runtime's label is not the one of the larger score
        if kernel == "LINEAR":
            attributes = {"coefficients": floats(rng, classes * 3).tolist(), "rho": [.25] * classes, "classlabels_ints": [7, 8, 9, 10][:classes],
                          "kernel_params": kernel_params, "post_transform": post}
            add(f"svm_classifier_weights_{classes}_{post}", "SVMClassifier", [x], attributes, 2, domain=ML,
                atol=5e-4 if post == "PROBIT" else 1e-6)


def cases(add):
    rng = np.random.default_rng(7)
    for part in (add_features, add_encoders, add_linear, add_trees, add_ensembles, add_maps, add_svm):
        part(add, rng)
