package dev.flagship.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.StringReader;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

class RooflineTest {
    private static NodeList circles() throws Exception {
        var roofline = new Roofline("A <model>, 2 threads", 30);
        roofline.ceiling("FP32", 450);
        roofline.ceiling("int8", 1800);
        roofline.point("Flagship", "decode", 2, 58);
        roofline.point("Flagship", "prefill", 480, 900);
        roofline.point("llama.cpp", "decode, fa on", 2, 30);
        return DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new InputSource(new StringReader(roofline.svg())))
                .getElementsByTagName("circle");
    }

    private static double number(NodeList circles, int index, String attribute) {
        return Double.parseDouble(((Element) circles.item(index)).getAttribute(attribute));
    }

    @Test
    void aFasterPointIsHigherAndAnIntenserOneFurtherRight() throws Exception {
        NodeList circles = circles();
        assertThat(circles.getLength()).as("three points, two in the legend").isEqualTo(5);
        assertThat(number(circles, 1, "cy")).isLessThan(number(circles, 0, "cy"));
        assertThat(number(circles, 1, "cx")).isGreaterThan(number(circles, 0, "cx"));
        assertThat(number(circles, 2, "cy")).isGreaterThan(number(circles, 0, "cy"));
        assertThat(number(circles, 2, "cx")).isEqualTo(number(circles, 0, "cx"));
    }

    @Test
    void enginesHaveColoursOfTheirOwn() throws Exception {
        NodeList circles = circles();
        String ours = ((Element) circles.item(0)).getAttribute("fill");
        assertThat(((Element) circles.item(1)).getAttribute("fill")).isEqualTo(ours);
        assertThat(((Element) circles.item(2)).getAttribute("fill")).isNotEqualTo(ours);
    }
}
